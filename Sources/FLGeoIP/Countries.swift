/// The countries of ISO 3166-1 and what is the same for each: for sources that tell a code alone.
///
/// The same as `geoip/countries.tsv`, which a test compares it with. The European Union is that of 2026: its 27
/// members, and the parts of Finland and France that have codes of their own.
public enum Countries {
  /// What is known of a country by its code.
  public struct Country: Sendable, Equatable {
    /// The English name.
    public let name: String
    /// The continent's code.
    public let continent: String
    /// Whether the law of the European Union holds there.
    public let isEU: Bool
  }

  /// The country with this code by ISO 3166-1, in capitals; XK is in use though ISO has not given it.
  public static subscript(code: String) -> Country? { all[code] }

  /// The English name of the continent with this code.
  public static func continent(_ code: String) -> String? { continents[code] }

  /// All of them, by their codes.
  public static let all: [String: Country] = {
    var all: [String: Country] = [:]
    for line in table.split(separator: "\n") {
      let parts = line.split(separator: " ", maxSplits: 3).map(String.init)
      all[parts[0]] = Country(name: parts[3], continent: parts[1], isEU: parts[2] == "eu")
    }
    return all
  }()

  private static let continents = [
    "AF": "Africa", "AN": "Antarctica", "AS": "Asia", "EU": "Europe", "NA": "North America", "OC": "Oceania",
    "SA": "South America",
  ]

  private static let table = """
    AD EU - Andorra
    AE AS - United Arab Emirates
    AF AS - Afghanistan
    AG NA - Antigua and Barbuda
    AI NA - Anguilla
    AL EU - Albania
    AM AS - Armenia
    AO AF - Angola
    AQ AN - Antarctica
    AR SA - Argentina
    AS OC - American Samoa
    AT EU eu Austria
    AU OC - Australia
    AW NA - Aruba
    AX EU eu Åland Islands
    AZ AS - Azerbaijan
    BA EU - Bosnia and Herzegovina
    BB NA - Barbados
    BD AS - Bangladesh
    BE EU eu Belgium
    BF AF - Burkina Faso
    BG EU eu Bulgaria
    BH AS - Bahrain
    BI AF - Burundi
    BJ AF - Benin
    BL NA - Saint Barthélemy
    BM NA - Bermuda
    BN AS - Brunei
    BO SA - Bolivia
    BQ NA - Bonaire, Sint Eustatius and Saba
    BR SA - Brazil
    BS NA - Bahamas
    BT AS - Bhutan
    BV AN - Bouvet Island
    BW AF - Botswana
    BY EU - Belarus
    BZ NA - Belize
    CA NA - Canada
    CC AS - Cocos (Keeling) Islands
    CD AF - DR Congo
    CF AF - Central African Republic
    CG AF - Congo
    CH EU - Switzerland
    CI AF - Côte d’Ivoire
    CK OC - Cook Islands
    CL SA - Chile
    CM AF - Cameroon
    CN AS - China
    CO SA - Colombia
    CR NA - Costa Rica
    CU NA - Cuba
    CV AF - Cabo Verde
    CW NA - Curaçao
    CX AS - Christmas Island
    CY EU eu Cyprus
    CZ EU eu Czechia
    DE EU eu Germany
    DJ AF - Djibouti
    DK EU eu Denmark
    DM NA - Dominica
    DO NA - Dominican Republic
    DZ AF - Algeria
    EC SA - Ecuador
    EE EU eu Estonia
    EG AF - Egypt
    EH AF - Western Sahara
    ER AF - Eritrea
    ES EU eu Spain
    ET AF - Ethiopia
    FI EU eu Finland
    FJ OC - Fiji
    FK SA - Falkland Islands
    FM OC - Micronesia
    FO EU - Faroe Islands
    FR EU eu France
    GA AF - Gabon
    GB EU - United Kingdom
    GD NA - Grenada
    GE AS - Georgia
    GF SA eu French Guiana
    GG EU - Guernsey
    GH AF - Ghana
    GI EU - Gibraltar
    GL NA - Greenland
    GM AF - Gambia
    GN AF - Guinea
    GP NA eu Guadeloupe
    GQ AF - Equatorial Guinea
    GR EU eu Greece
    GS AN - South Georgia and the South Sandwich Islands
    GT NA - Guatemala
    GU OC - Guam
    GW AF - Guinea-Bissau
    GY SA - Guyana
    HK AS - Hong Kong
    HM AN - Heard Island and McDonald Islands
    HN NA - Honduras
    HR EU eu Croatia
    HT NA - Haiti
    HU EU eu Hungary
    ID AS - Indonesia
    IE EU eu Ireland
    IL AS - Israel
    IM EU - Isle of Man
    IN AS - India
    IO AS - British Indian Ocean Territory
    IQ AS - Iraq
    IR AS - Iran
    IS EU - Iceland
    IT EU eu Italy
    JE EU - Jersey
    JM NA - Jamaica
    JO AS - Jordan
    JP AS - Japan
    KE AF - Kenya
    KG AS - Kyrgyzstan
    KH AS - Cambodia
    KI OC - Kiribati
    KM AF - Comoros
    KN NA - Saint Kitts and Nevis
    KP AS - North Korea
    KR AS - South Korea
    KW AS - Kuwait
    KY NA - Cayman Islands
    KZ AS - Kazakhstan
    LA AS - Laos
    LB AS - Lebanon
    LC NA - Saint Lucia
    LI EU - Liechtenstein
    LK AS - Sri Lanka
    LR AF - Liberia
    LS AF - Lesotho
    LT EU eu Lithuania
    LU EU eu Luxembourg
    LV EU eu Latvia
    LY AF - Libya
    MA AF - Morocco
    MC EU - Monaco
    MD EU - Moldova
    ME EU - Montenegro
    MF NA eu Saint Martin
    MG AF - Madagascar
    MH OC - Marshall Islands
    MK EU - North Macedonia
    ML AF - Mali
    MM AS - Myanmar
    MN AS - Mongolia
    MO AS - Macao
    MP OC - Northern Mariana Islands
    MQ NA eu Martinique
    MR AF - Mauritania
    MS NA - Montserrat
    MT EU eu Malta
    MU AF - Mauritius
    MV AS - Maldives
    MW AF - Malawi
    MX NA - Mexico
    MY AS - Malaysia
    MZ AF - Mozambique
    NA AF - Namibia
    NC OC - New Caledonia
    NE AF - Niger
    NF OC - Norfolk Island
    NG AF - Nigeria
    NI NA - Nicaragua
    NL EU eu Netherlands
    NO EU - Norway
    NP AS - Nepal
    NR OC - Nauru
    NU OC - Niue
    NZ OC - New Zealand
    OM AS - Oman
    PA NA - Panama
    PE SA - Peru
    PF OC - French Polynesia
    PG OC - Papua New Guinea
    PH AS - Philippines
    PK AS - Pakistan
    PL EU eu Poland
    PM NA - Saint Pierre and Miquelon
    PN OC - Pitcairn Islands
    PR NA - Puerto Rico
    PS AS - Palestine
    PT EU eu Portugal
    PW OC - Palau
    PY SA - Paraguay
    QA AS - Qatar
    RE AF eu Réunion
    RO EU eu Romania
    RS EU - Serbia
    RU EU - Russia
    RW AF - Rwanda
    SA AS - Saudi Arabia
    SB OC - Solomon Islands
    SC AF - Seychelles
    SD AF - Sudan
    SE EU eu Sweden
    SG AS - Singapore
    SH AF - Saint Helena, Ascension and Tristan da Cunha
    SI EU eu Slovenia
    SJ EU - Svalbard and Jan Mayen
    SK EU eu Slovakia
    SL AF - Sierra Leone
    SM EU - San Marino
    SN AF - Senegal
    SO AF - Somalia
    SR SA - Suriname
    SS AF - South Sudan
    ST AF - São Tomé and Príncipe
    SV NA - El Salvador
    SX NA - Sint Maarten
    SY AS - Syria
    SZ AF - Eswatini
    TC NA - Turks and Caicos Islands
    TD AF - Chad
    TF AN - French Southern Territories
    TG AF - Togo
    TH AS - Thailand
    TJ AS - Tajikistan
    TK OC - Tokelau
    TL OC - Timor-Leste
    TM AS - Turkmenistan
    TN AF - Tunisia
    TO OC - Tonga
    TR AS - Türkiye
    TT NA - Trinidad and Tobago
    TV OC - Tuvalu
    TW AS - Taiwan
    TZ AF - Tanzania
    UA EU - Ukraine
    UG AF - Uganda
    UM OC - U.S. Outlying Islands
    US NA - United States
    UY SA - Uruguay
    UZ AS - Uzbekistan
    VA EU - Vatican City
    VC NA - Saint Vincent and the Grenadines
    VE SA - Venezuela
    VG NA - British Virgin Islands
    VI NA - U.S. Virgin Islands
    VN AS - Vietnam
    VU OC - Vanuatu
    WF OC - Wallis and Futuna
    WS OC - Samoa
    XK EU - Kosovo
    YE AS - Yemen
    YT AF eu Mayotte
    ZA AF - South Africa
    ZM AF - Zambia
    ZW AF - Zimbabwe
    """
}
