extension UserAgent {
  /// What a token in a User-Agent header tells.
  struct Token: OptionSet, Sendable {
    let rawValue: UInt64

    static let bot = Token(rawValue: 1 << 0)
    static let botWord = Token(rawValue: 1 << 1)
    static let cubot = Token(rawValue: 1 << 2)

    static let edge = Token(rawValue: 1 << 3)
    static let opera = Token(rawValue: 1 << 4)
    static let samsung = Token(rawValue: 1 << 5)
    static let vivaldi = Token(rawValue: 1 << 6)
    static let yandex = Token(rawValue: 1 << 7)
    static let duckDuckGo = Token(rawValue: 1 << 8)
    static let firefox = Token(rawValue: 1 << 9)
    static let chrome = Token(rawValue: 1 << 10)
    static let safari = Token(rawValue: 1 << 11)
    static let explorer = Token(rawValue: 1 << 12)
    static let ucBrowser = Token(rawValue: 1 << 13)
    static let miui = Token(rawValue: 1 << 14)
    static let huaweiBrowser = Token(rawValue: 1 << 15)
    static let silk = Token(rawValue: 1 << 16)
    static let facebook = Token(rawValue: 1 << 17)
    static let instagram = Token(rawValue: 1 << 18)
    static let line = Token(rawValue: 1 << 19)
    static let weChat = Token(rawValue: 1 << 20)
    static let googleApp = Token(rawValue: 1 << 21)
    static let whale = Token(rawValue: 1 << 22)
    static let tikTok = Token(rawValue: 1 << 23)
    static let linkedIn = Token(rawValue: 1 << 24)
    static let snapchat = Token(rawValue: 1 << 25)
    static let pinterest = Token(rawValue: 1 << 26)
    static let webView = Token(rawValue: 1 << 27)
    static let webKit = Token(rawValue: 1 << 28)
    static let brave = Token(rawValue: 1 << 29)

    static let windows = Token(rawValue: 1 << 30)
    static let windowsPhone = Token(rawValue: 1 << 31)
    static let iPhone = Token(rawValue: 1 << 32)
    static let iPad = Token(rawValue: 1 << 33)
    static let mac = Token(rawValue: 1 << 34)
    static let android = Token(rawValue: 1 << 35)
    static let chromeOS = Token(rawValue: 1 << 36)
    static let linux = Token(rawValue: 1 << 37)
    static let bsd = Token(rawValue: 1 << 38)
    static let kaiOS = Token(rawValue: 1 << 39)
    static let harmonyOS = Token(rawValue: 1 << 40)
    static let tizen = Token(rawValue: 1 << 41)
    static let webOS = Token(rawValue: 1 << 42)
    static let playStation = Token(rawValue: 1 << 43)
    static let xbox = Token(rawValue: 1 << 44)
    static let nintendo = Token(rawValue: 1 << 45)

    static let mobileWord = Token(rawValue: 1 << 46)
    static let tabletWord = Token(rawValue: 1 << 47)
    static let phone = Token(rawValue: 1 << 48)
    static let television = Token(rawValue: 1 << 49)
    static let console = Token(rawValue: 1 << 50)
  }

  /// The names of browsers, the more special before what they also claim to be.
  static let browsers: [(token: Token, name: String)] = [
    (.facebook, "Facebook"), (.instagram, "Instagram"), (.tikTok, "TikTok"), (.linkedIn, "LinkedIn"),
    (.snapchat, "Snapchat"), (.pinterest, "Pinterest"), (.line, "LINE"), (.weChat, "WeChat"),
    (.googleApp, "Google App"), (.edge, "Edge"), (.opera, "Opera"), (.samsung, "Samsung Internet"),
    (.vivaldi, "Vivaldi"), (.yandex, "Yandex"), (.duckDuckGo, "DuckDuckGo"), (.brave, "Brave"),
    (.ucBrowser, "UC Browser"), (.miui, "MIUI Browser"), (.huaweiBrowser, "Huawei Browser"), (.silk, "Silk"),
    (.whale, "Whale"), (.webView, "Android WebView"), (.firefox, "Firefox"), (.chrome, "Chrome"),
    (.explorer, "Internet Explorer"), (.safari, "Safari"), (.webKit, "WebKit"),
  ]

  /// The names of systems, the more special before what they also claim to be.
  static let systems: [(token: Token, name: String)] = [
    (.windowsPhone, "Windows Phone"), (.xbox, "Xbox"), (.playStation, "PlayStation"),
    (.nintendo, "Nintendo"), (.kaiOS, "KaiOS"), (.harmonyOS, "HarmonyOS"), (.tizen, "Tizen"),
    (.webOS, "webOS"), (.windows, "Windows"), (.iPad, "iPadOS"), (.iPhone, "iOS"), (.android, "Android"),
    (.mac, "macOS"), (.chromeOS, "ChromeOS"), (.bsd, "BSD"), (.linux, "Linux"),
  ]

  /// All the tokens, made ready once a process.
  static let tokens = TokenScan<Token>(programs + bots.map { ($0, .bot) })

  private static let programs: [(token: String, means: Token)] = [
    ("bot", .botWord), ("cubot", .cubot),

    ("edg/", .edge), ("edga/", .edge), ("edgios/", .edge), ("edge/", .edge),
    ("opr/", .opera), ("opera", .opera), ("opios/", .opera), (" opt/", .opera), ("opx/", .opera),
    ("samsungbrowser/", .samsung), ("vivaldi/", .vivaldi), ("yabrowser/", .yandex),
    ("yasearchbrowser/", .yandex), ("duckduckgo/", .duckDuckGo), (" ddg/", .duckDuckGo),
    ("firefox/", .firefox), ("fxios/", .firefox), ("focus/", .firefox), ("klar/", .firefox),
    ("chrome/", .chrome), ("crios/", .chrome), ("chromium/", .chrome), (" safari/", .safari),
    ("msie ", .explorer), ("trident/", .explorer), ("ucbrowser/", .ucBrowser), ("ubrowser/", .ucBrowser),
    ("miuibrowser/", .miui), ("huaweibrowser/", .huaweiBrowser), ("silk/", .silk), ("fban/", .facebook),
    ("fbav/", .facebook), ("fb_iab/", .facebook), ("[fban", .facebook), ("instagram ", .instagram),
    (" line/", .line), ("micromessenger/", .weChat), (" gsa/", .googleApp), ("whale/", .whale),
    ("musical_ly", .tikTok), ("bytedancewebview", .tikTok), ("tiktok", .tikTok), ("linkedinapp", .linkedIn),
    ("snapchat/", .snapchat), ("[pinterest/", .pinterest), ("; wv)", .webView), ("applewebkit/", .webKit),
    ("brave/", .brave),

    ("windows nt", .windows), ("windows 9", .windows), ("win64", .windows),
    ("windows phone", [.windowsPhone, .phone]), ("iphone", .iPhone), ("ipod", .iPhone), ("ipad", .iPad),
    ("macintosh", .mac), ("mac os x 1", .mac), ("android", .android), ("cros ", .chromeOS),
    ("linux", .linux), ("x11;", .linux), ("freebsd", .bsd), ("openbsd", .bsd), ("netbsd", .bsd),
    ("kaios/", .kaiOS), ("harmonyos", .harmonyOS), ("openharmony", .harmonyOS), ("tizen", .tizen),
    ("web0s", [.webOS, .television]), ("webos.tv", [.webOS, .television]),
    ("playstation", [.playStation, .console]), ("xbox", [.xbox, .console]),
    ("nintendo", [.nintendo, .console]),

    ("mobile", .mobileWord), ("phone;", .phone), ("blackberry", .phone), ("opera mini", .phone),
    ("j2me", .phone), ("tablet", .tabletWord), ("kindle", .tabletWord), ("playbook", .tabletWord),
    ("smart-tv", .television), ("smarttv", .television), ("appletv", .television),
    ("crkey", .television), ("bravia", .television), ("hbbtv", .television), ("aftb", .television),
    ("aftm", .television), ("aftt", .television), ("roku", .television), ("googletv", .television),
    ("google tv", .television),
  ]

  /// What stands in the headers of programs alone. Words that contain "bot" are found by it.
  private static let bots: [String] = [
    // Search engines, archives and the makers of models.
    "crawl", "spider", "slurp", "+http", "mediapartners-google", "google-inspectiontool", "apis-google",
    "googleother", "google-extended", "google-read-aloud", "google-safety", "google favicon",
    "feedfetcher", "bingpreview", "yandeximages", "yandexmetrika", "qwantify",
    "ia_archiver", "archive.org", "heritrix", "nutch", "httrack", "chatgpt-user", "claude-",
    "perplexity", "cohere-ai", "meta-externalagent", "meta-externalfetcher",
    // Those who fetch a preview of a link that somebody sends.
    "facebookexternalhit", "facebookcatalog", "whatsapp/", "slack-imgproxy", "skypeuripreview",
    "linkpreview", "link preview", "url preview", "previewer", "embedly", "iframely", "vkshare",
    "pinterest/0.", "outbrain", "flipboardproxy", "tumblr/", "mastodon/", "pleroma", "akkoma", "misskey",
    "lemmy/", "synapse", "redditbot", "google-pagerenderer", "cardyb", "microsoft office",
    "ms-office", "safelinks", "barracuda", "proofpoint", "mimecast", "googleimageproxy", "ggpht.com",
    "yahoomailproxy", "snap url",
    // Programming libraries and command lines.
    "curl/", "wget", "python", "aiohttp", "httpx/", "urllib", "go-http-client", "go-resty", "java/",
    "okhttp", "apache-httpclient", "httpclient", "httpunit", "libwww", "lwp::", "lwp-", "node-fetch",
    "axios", "undici", "node.js", "got (", "superagent", "guzzle", "php/", "symfony", "ruby", "faraday",
    "perl/", "dart/", "dart:io", "reqwest", "hyper/", "ureq/", "postman", "insomnia", "httpie", "winhttp",
    "powershell", "restsharp", "cfnetwork", "scrapy", "colly", "mechanize", "aria2", "fetch/", "libcurl",
    // Browsers that a program drives.
    "headless", "phantomjs", "slimerjs", "puppeteer", "playwright", "selenium", "webdriver", "electron/0",
    "prerender", "rendertron", "lighthouse", "pagespeed", "gtmetrix", "ptst/", "speedcurve", "catchpoint",
    // Monitors, validators and scanners.
    "pingdom", "uptime", "monitor", "statuscake", "site24x7", "checkly", "nagios", "check_http", "zabbix",
    "datadog", "newrelic", "validator", "w3c_", "checker", "scanner", "censys", "expanse", "zgrab",
    "masscan", "nmap", "nikto", "sqlmap", "nuclei", "wpscan", "netcraft", "dispatch/", "ahrefs", "semrush",
    "screaming frog", "siteaudit", "feedly", "feedburner", "rssreader", "newsblur", "inoreader", "miniflux",
  ]
}
