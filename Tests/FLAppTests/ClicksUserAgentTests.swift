import FLHTTP
import Testing

@testable import FLApp

@Suite struct ClicksUserAgentTests {
  static let webKit = "AppleWebKit/537.36 (KHTML, like Gecko)"
  static let iOS = "AppleWebKit/605.1.15 (KHTML, like Gecko)"

  static let people: [(header: String, browser: String?, system: String?, device: UserAgent.Device)] = [
    (
      "Mozilla/5.0 (Windows NT 10.0; Win64; x64) \(webKit) Chrome/142.0.0.0 Safari/537.36", "Chrome",
      "Windows", .desktop
    ),
    (
      "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) \(webKit) Chrome/142.0.0.0 Safari/537.36", "Chrome",
      "macOS", .desktop
    ),
    ("Mozilla/5.0 (X11; Linux x86_64) \(webKit) Chrome/142.0.0.0 Safari/537.36", "Chrome", "Linux", .desktop),
    (
      "Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) \(webKit) Chrome/141.0.0.0 Safari/537.36", "Chrome",
      "ChromeOS", .desktop
    ),
    (
      "Mozilla/5.0 (Linux; Android 10; K) \(webKit) Chrome/142.0.0.0 Mobile Safari/537.36", "Chrome",
      "Android", .mobile
    ),
    (
      "Mozilla/5.0 (Linux; Android 10; K) \(webKit) Chrome/142.0.0.0 Safari/537.36", "Chrome", "Android",
      .tablet
    ),
    (
      "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) \(iOS) CriOS/142.0.7444.77 Mobile/15E148 Safari/604.1",
      "Chrome", "iOS", .mobile
    ),
    (
      "Mozilla/5.0 (Windows NT 10.0; Win64; x64) \(webKit) Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0",
      "Edge", "Windows", .desktop
    ),
    (
      "Mozilla/5.0 (Linux; Android 10; HD1913) \(webKit) Chrome/141.0.0.0 Mobile Safari/537.36 EdgA/141.0.0.0",
      "Edge", "Android", .mobile
    ),
    (
      "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) \(iOS) Version/18.0 EdgiOS/141.0.3537.99 Mobile/15E148 Safari/604.1",
      "Edge", "iOS", .mobile
    ),
    (
      "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:144.0) Gecko/20100101 Firefox/144.0", "Firefox",
      "Windows", .desktop
    ),
    (
      "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:144.0) Gecko/20100101 Firefox/144.0", "Firefox",
      "macOS", .desktop
    ),
    ("Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0", "Firefox", "Linux", .desktop),
    ("Mozilla/5.0 (X11; FreeBSD amd64; rv:144.0) Gecko/20100101 Firefox/144.0", "Firefox", "BSD", .desktop),
    ("Mozilla/5.0 (Android 15; Mobile; rv:144.0) Gecko/144.0 Firefox/144.0", "Firefox", "Android", .mobile),
    ("Mozilla/5.0 (Android 15; Tablet; rv:144.0) Gecko/144.0 Firefox/144.0", "Firefox", "Android", .tablet),
    (
      "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) \(iOS) FxiOS/144.0 Mobile/15E148 Safari/605.1.15",
      "Firefox", "iOS", .mobile
    ),
    (
      "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) \(iOS) Version/26.0 Safari/605.1.15", "Safari",
      "macOS", .desktop
    ),
    (
      "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) \(iOS) Version/26.0 Mobile/15E148 Safari/604.1",
      "Safari", "iOS", .mobile
    ),
    (
      "Mozilla/5.0 (iPad; CPU OS 17_7 like Mac OS X) \(iOS) Version/17.7 Mobile/15E148 Safari/604.1",
      "Safari", "iPadOS", .tablet
    ),
    (
      "Mozilla/5.0 (Windows NT 10.0; Win64; x64) \(webKit) Chrome/141.0.0.0 Safari/537.36 OPR/125.0.0.0",
      "Opera", "Windows", .desktop
    ),
    (
      "Mozilla/5.0 (Linux; Android 10; VOG-L29) \(webKit) Chrome/141.0.0.0 Mobile Safari/537.36 OPR/92.0.0.0",
      "Opera", "Android", .mobile
    ),
    (
      "Opera/9.80 (J2ME/MIDP; Opera Mini/9.80/191.308; U; en) Presto/2.5.25 Version/10.54", "Opera", nil,
      .mobile
    ),
    (
      "Mozilla/5.0 (Linux; Android 15; SAMSUNG SM-S931B) \(webKit) SamsungBrowser/29.0 Chrome/136.0.0.0 Mobile Safari/537.36",
      "Samsung Internet", "Android", .mobile
    ),
    (
      "Mozilla/5.0 (Windows NT 10.0; Win64; x64) \(webKit) Chrome/140.0.0.0 Safari/537.36 Vivaldi/7.6.3797.63",
      "Vivaldi", "Windows", .desktop
    ),
    (
      "Mozilla/5.0 (Windows NT 10.0; Win64; x64) \(webKit) Chrome/138.0.0.0 YaBrowser/25.8.0.0 Safari/537.36",
      "Yandex", "Windows", .desktop
    ),
    (
      "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) \(iOS) Version/26.0 Safari/605.1.15 Ddg/26.0",
      "DuckDuckGo", "macOS", .desktop
    ),
    (
      "Mozilla/5.0 (Windows NT 10.0; WOW64; Trident/7.0; rv:11.0) like Gecko", "Internet Explorer", "Windows",
      .desktop
    ),
    (
      "Mozilla/5.0 (compatible; MSIE 10.0; Windows NT 6.2; Trident/6.0)", "Internet Explorer", "Windows",
      .desktop
    ),
    (
      "Mozilla/5.0 (Linux; U; Android 13; en-US; RMX3085) \(webKit) Version/4.0 Chrome/100.0.4896.58 UCBrowser/13.6.0.1315 Mobile Safari/537.36",
      "UC Browser", "Android", .mobile
    ),
    (
      "Mozilla/5.0 (Linux; U; Android 14; de-de; 23090RA98G) \(webKit) Version/4.0 Chrome/119.0.0.0 Mobile Safari/537.36 XiaoMi/MiuiBrowser/14.22.0",
      "MIUI Browser", "Android", .mobile
    ),
    (
      "Mozilla/5.0 (Linux; Android 12; ELS-NX9; HMSCore 6.15) \(webKit) Chrome/114.0.5735.196 HuaweiBrowser/16.0.7 Mobile Safari/537.36",
      "Huawei Browser", "Android", .mobile
    ),
    (
      "Mozilla/5.0 (Linux; Android 9; KFONWI) \(webKit) Silk/140.1.9 like Chrome/140.0.0.0 Safari/537.36",
      "Silk", "Android", .tablet
    ),
    (
      "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) \(iOS) Mobile/15E148 [FBAN/FBIOS;FBAV/534.0.0.50.93;FBDV/iPhone15,2]",
      "Facebook", "iOS", .mobile
    ),
    (
      "Mozilla/5.0 (Linux; Android 15; SM-A546B; wv) \(webKit) Version/4.0 Chrome/141.0.0.0 Mobile Safari/537.36 [FB_IAB/FB4A;FBAV/535.0.0.0]",
      "Facebook", "Android", .mobile
    ),
    (
      "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) \(iOS) Mobile/22G86 Instagram 403.0.0.27.81 (iPhone15,4; iOS 18_6)",
      "Instagram", "iOS", .mobile
    ),
    (
      "Mozilla/5.0 (Linux; Android 14; CUBOT KINGKONG 9) \(webKit) Chrome/131.0.0.0 Mobile Safari/537.36",
      "Chrome", "Android", .mobile
    ),
    (
      "Mozilla/5.0 (Linux; Android 14; Pixel 8 Build/AP2A; wv) \(webKit) Version/4.0 Chrome/141.0.0.0 Mobile Safari/537.36",
      "Android WebView", "Android", .mobile
    ),
    (
      "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) \(iOS) GSA/391.0.8 Mobile/15E148 Safari/604.1",
      "Google App", "iOS", .mobile
    ),
    (
      "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) \(iOS) Mobile/15E148 Safari Line/15.15.0",
      "LINE", "iOS", .mobile
    ),
    (
      "Mozilla/5.0 (iPhone; CPU iPhone OS 17_6 like Mac OS X) \(iOS) Mobile/15E148 MicroMessenger/8.0.49(0x18003137) NetType/WIFI Language/zh_CN",
      "WeChat", "iOS", .mobile
    ),
    (
      "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) \(iOS) Mobile/15E148 [LinkedInApp]/9.31.4",
      "LinkedIn", "iOS", .mobile
    ),
    ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) \(iOS) Mobile/15E148", "WebKit", "iOS", .mobile),
    (
      "Mozilla/5.0 (Web0S; Linux/SmartTV) \(webKit) Chrome/120.0.6099.270 Safari/537.36 WebAppManager",
      "Chrome", "webOS", .other
    ),
    (
      "Mozilla/5.0 (SMART-TV; LINUX; Tizen 8.0) \(webKit) 94.0.4606.31/8.0 TV Safari/537.36", "Safari",
      "Tizen", .other
    ),
    (
      "Mozilla/5.0 (PlayStation; PlayStation 5/9.00) \(iOS) Version/17.4 Safari/605.1.15", "Safari",
      "PlayStation", .other
    ),
    (
      "Mozilla/5.0 (Mobile; Nokia_2780_Flip; rv:84.0) Gecko/84.0 Firefox/84.0 KAIOS/3.1", "Firefox", nil,
      .mobile
    ),
    ("Something new", nil, nil, .other),
  ]

  static let programs: [String] = [
    "", "-", "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 (Linux; Android 6.0.1; Nexus 5X Build/MMB29P) \(webKit) Chrome/142.0.0.0 Mobile Safari/537.36 (compatible; Googlebot/2.1)",
    "Mozilla/5.0 \(webKit); compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm) Chrome/116.0.1938.76 Safari/537.36",
    "Mozilla/5.0 (compatible; YandexBot/3.0; +http://yandex.com/bots)",
    "Mozilla/5.0 (compatible; Baiduspider/2.0; +http://www.baidu.com/search/spider.html)",
    "DuckDuckBot/1.1; (+http://duckduckgo.com/duckduckbot.html)", "Sogou web spider/4.0",
    "Mozilla/5.0 (compatible; Yahoo! Slurp; http://help.yahoo.com/help/us/ysearch/slurp)",
    "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)", "facebookcatalog/1.0",
    "meta-externalagent/1.1 (+https://developers.facebook.com/docs/sharing/webmasters/crawler)",
    "Twitterbot/1.0", "LinkedInBot/1.0 (compatible; Mozilla/5.0; Apache-HttpClient +http://www.linkedin.com)",
    "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
    "Slack-ImgProxy (+https://api.slack.com/robots)",
    "WhatsApp/2.23.20.0", "TelegramBot (like TwitterBot)",
    "Mozilla/5.0 (compatible; Discordbot/2.0; +https://discordapp.com)",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_11_1) AppleWebKit/601.2.4 (KHTML, like Gecko) Version/9.0.1 Safari/601.2.4 facebookexternalhit/1.1 Facebot Twitterbot/1.0",
    "Mozilla/5.0 (Windows NT 6.1; WOW64) SkypeUriPreview Preview/0.5",
    "Pinterest/0.2 (+https://www.pinterest.com/bot.html)",
    "Mozilla/5.0 (compatible; redditbot/1.0; +http://www.reddit.com/feedback)",
    "Mastodon/4.3.0 (http.rb/5.2.0; +https://mastodon.social/)",
    "Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)",
    "Mozilla/5.0 (compatible; SemrushBot/7~bl)",
    "Mozilla/5.0 (compatible; MJ12bot/v1.4.8; http://mj12bot.com/)",
    "Mozilla/5.0 (compatible; Bytespider; spider-feedback@bytedance.com)",
    "Mozilla/5.0 \(webKit); compatible; GPTBot/1.2; +https://openai.com/gptbot",
    "CCBot/2.0 (https://commoncrawl.org/faq/)",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Applebot/0.1",
    "curl/8.10.1", "Wget/1.24.5", "python-requests/2.32.3", "Python-urllib/3.12", "python-httpx/0.27.2",
    "Go-http-client/2.0", "Java/17.0.2", "okhttp/4.12.0", "Apache-HttpClient/4.5.14 (Java/11.0.24)",
    "libwww-perl/6.77",
    "axios/1.7.7", "node-fetch/1.0", "GuzzleHttp/7", "PostmanRuntime/7.42.0", "HTTPie/3.2.3", "Ruby",
    "Scrapy/2.11.2 (+https://scrapy.org)",
    "Mozilla/5.0 (X11; Linux x86_64) \(webKit) HeadlessChrome/142.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Unknown; Linux x86_64) AppleWebKit/538.1 (KHTML, like Gecko) PhantomJS/2.1.1 Safari/538.1",
    "Mozilla/5.0 (Linux; Android 11; moto g power) \(webKit) Chrome/119.0.0.0 Mobile Safari/537.36 Chrome-Lighthouse",
    "Pingdom.com_bot_version_1.4_(http://www.pingdom.com/)",
    "Mozilla/5.0+(compatible; UptimeRobot/2.0; http://www.uptimerobot.com/)",
    "Mozilla/5.0 (compatible; CensysInspect/1.1; +https://about.censys.io/)", "Mozilla/5.0 zgrab/0.x",
    "Microsoft Office/16.0 (Windows NT 10.0; Microsoft Outlook 16.0.17928; Pro)",
    "W3C_Validator/1.3 http://validator.w3.org/services",
    "CFNetwork/1568.100.1 Darwin/24.0.0", "FeedFetcher-Google; (+http://www.google.com/feedfetcher.html)",
    "gOOgLEbOT",
  ]

  @Test(arguments: people.indices)
  func knowsBrowsers(_ index: Int) {
    let expected = Self.people[index]
    let agent = UserAgent(expected.header)
    #expect(!agent.isBot, "\(expected.header)")
    #expect(agent.browser == expected.browser, "\(expected.header)")
    if let system = expected.system { #expect(agent.system == system, "\(expected.header)") }
    #expect(agent.device == expected.device, "\(expected.header)")
  }

  @Test(arguments: programs)
  func knowsPrograms(_ header: String) {
    #expect(UserAgent.isBot(header), "\(header)")
    #expect(UserAgent(header).device == .bot)
    #expect(UserAgent(header).browser == nil)
  }

  @Test func looksNoFurtherThanFiveHundredAndTwelveBytes() {
    let padding = String(repeating: "x", count: 509)
    #expect(UserAgent.isBot(padding + "bot"))
    #expect(!UserAgent.isBot(padding + "xbot"))
    #expect(!UserAgent.isBot(String(repeating: "\u{0}é\u{FFFD}", count: 4000)))
  }

  @Test func decidesWithinTwoMicroseconds() {
    let header = Self.people[0].header
    _ = UserAgent.isBot(header)
    var bots = 0
    let best =
      (0..<20).map { _ in
        ContinuousClock().measure { for _ in 0..<500 { bots += UserAgent.isBot(header) ? 1 : 0 } }
      }.min() ?? .zero
    #expect(bots == 0)
    #if !DEBUG
      #expect(best / 500 < .microseconds(2))
    #else
      #expect(best / 500 < .microseconds(200))
    #endif
  }

  @Test(arguments: [
    ("Sec-Purpose", "prefetch", true), ("Sec-Purpose", "prefetch;prerender", true),
    ("Sec-Purpose", "prefetch; anonymous-client-ip", true), ("Purpose", "Prefetch", true),
    ("X-Moz", "prefetch", true), ("X-Purpose", "preview", true), ("Purpose", "", false),
    ("Sec-Purpose", "prefetching", false), ("X-Other", "prefetch", false),
  ])
  func knowsWhatIsFetchedAhead(_ name: String, _ value: String, _ isPrefetch: Bool) throws {
    var request = Request(path: "/abc")
    request.headers[try #require(.init(name))] = value
    request.headers[.userAgent] = Self.people[0].header
    let visit = Visit(request)
    #expect(visit.isPrefetch == isPrefetch)
    #expect(visit.isRecorded == !isPrefetch)
    #expect(visit.usesClick == !isPrefetch)
  }

  @Test func readsCampaignReferrerAndLanguage() {
    let visit = Visit(
      Request(
        path: "/a",
        query:
          "x=1&utm_source=news%20letter&utm_medium=+e%2Dmail+&utm_campaign=%C3%BCber%00&utm_term=&utm_source=2&utm_content=%zz"
      ))
    #expect(visit.campaign.source == "news letter")
    #expect(visit.campaign.medium == "e-mail")
    #expect(visit.campaign.name == "über")
    #expect(visit.campaign.term == nil)
    #expect(visit.campaign.content == "%zz")
    #expect(visit.isBot)
    let long = Campaign(query: "utm_source=" + String(repeating: "%C3%BC", count: 200))
    #expect(long.source == String(repeating: "ü", count: 95))
    #expect(Campaign(query: "utm_source=%FF%FE").source == "\u{FFFD}\u{FFFD}")

    let hosts: [(String, String?)] = [
      ("https://www.Example.org:8080/a?b=1#c", "example.org"), ("http://u:p@host.example/", "host.example"),
      ("android-app://com.google.android.gm/", "com.google.android.gm"),
      ("https://[2001:DB8::1]:8/", "[2001:db8::1]"),
      ("", nil), ("no address", nil), ("https://", nil), ("://x", nil), ("https://a b/", nil),
      ("https://www./", nil),
      ("https://a.example\\@b.example/", "a.example"), ("https://" + String(repeating: "a", count: 300), nil),
    ]
    for (referrer, host) in hosts { #expect(Click.referrerHost(referrer) == host, "\(referrer)") }
    let languages: [(String, String?)] = [
      ("de-DE,de;q=0.9,en;q=0.8", "de"), ("EN", "en"), (" fr;q=1", "fr"), ("*", nil), ("", nil), ("x", nil),
      ("zh_CN", "zh"), ("d3", nil), ("abcdefghi", nil), ("<script>", nil), ("gsw-u-sd-chzh", "gsw"),
    ]
    for (accepted, language) in languages { #expect(Click.language(accepted) == language, "\(accepted)") }
  }
}
