import FLCrypto
import FLDelivery
import FLHTTP
import Foundation
import HTTPTypes
import Logging
import Testing

@testable import FLApp

@Suite struct SessionTests {
  private static let shared = Result { try House() }
  let house: House

  init() throws { house = try Self.shared.get() }

  private func bearer(_ answer: Answer, _ client: Client) throws -> Client {
    var client = client
    client.credentials = [.authorization: "Bearer " + (try answer.string("token"))]
    return client
  }

  private func refresh(_ token: String) -> Answer {
    house.nobody.post("/api/auth/refresh", ["refreshToken": .string(token)])
  }

  // MARK: Tokens

  @Test func aLogInAnswersTokens() throws {
    let anna = try house.account()
    let answer = anna.logIn()
    #expect(answer["tokenType"] == "Bearer" && answer["expiresIn"] == 900)
    #expect(answer["user"]?["email"]?.string == anna.email)
    #expect(answer.headers[.cacheControl] == "no-store")
    var upper = anna
    upper.email = anna.email.uppercased()
    #expect(upper.logIn().status == 200)
  }

  @Test func anUnknownAddressAndAWrongPasswordLookTheSame() throws {
    let anna = try house.account()
    var ghost = anna
    ghost.email = "ghost-" + anna.email
    let answers = [anna.logIn("wrong password"), ghost.logIn("wrong password")]
    for path in ["/api/auth/login", "/api/auth/session"] {
      for email in [anna.email, ghost.email] {
        let answer = anna.post(path, ["email": .string(email), "password": "wrong password"])
        #expect(
          answer.status == 401 && answer["detail"] == answers[0]["detail"] && answer.code == answers[0].code)
      }
    }
    #expect(answers.map(\.status) == [401, 401])
  }

  @Test func anUnknownAddressCostsAsMuchTime() throws {
    let anna = try house.account()
    var ghost = anna
    ghost.email = "ghost-" + anna.email
    // In turns, so that other work on the machine slows down both alike.
    var (known, unknown) = (Duration.seconds(60), Duration.seconds(60))
    for _ in 0..<5 {
      known = min(known, ContinuousClock().measure { _ = anna.logIn("wrong password") })
      unknown = min(unknown, ContinuousClock().measure { _ = ghost.logIn("wrong password") })
    }
    // Without its password hash it would be twenty times faster.
    #expect(unknown > known / 4 && known > unknown / 4, "\(known) \(unknown)")
  }

  @Test func aTokenExpires() throws {
    let house = try House()
    let anna = try house.account()
    house.clock.move(by: 890)
    #expect(anna.get("/api/auth/me").status == 200)
    house.clock.move(by: 20)
    #expect(anna.get("/api/auth/me").status == 401)
  }

  @Test func aTokenOfAnotherSecretOrWithoutSignatureIsRefused() throws {
    let anna = try house.account()
    let token = try anna.logIn().string("token")
    let parts = token.split(separator: ".").map(String.init)
    try #require(parts.count == 3)
    let flipped = parts[2].hasPrefix("A") ? "B" : "A"
    let forged = [
      parts[0] + "." + parts[1] + "." + flipped + parts[2].dropFirst(), parts[0] + "." + parts[1] + ".",
      "eyJhbGciOiJub25lIn0." + parts[1] + ".", parts[1] + "." + parts[1] + "." + parts[2],
    ]
    for token in forged {
      #expect(house.nobody.get("/api/auth/me", [.authorization: "Bearer " + token]).status == 401, "\(token)")
    }
    #expect(house.nobody.get("/api/auth/me", [.authorization: "bearer " + token]).status == 200)
  }

  @Test func aTokenOutlivesARenewedSecret() throws {
    let house = try House()
    let anna = try house.account()
    let new = try #require(MasterKey(text: String(repeating: "7b", count: 32)))
    var there = anna
    there.app = try house.secondApp { settings in
      settings.previousSecrets = [settings.secret]
      settings.secret = new
    }
    #expect(there.get("/api/auth/me").status == 200)
    let renewed = try there.loggedIn()
    #expect(renewed.get("/api/auth/me").status == 200)
    // Who does not know the new secret takes nothing that it has signed, nor the other way round.
    var old = renewed
    old.app = house.app
    #expect(old.get("/api/auth/me").status == 401)
    there.app = try house.secondApp { $0.secret = new }
    #expect(there.get("/api/auth/me").status == 401)
  }

  @Test func refreshingRotates() throws {
    let anna = try house.account()
    let first = anna.logIn()
    let second = refresh(try first.string("refreshToken"))
    #expect(second.status == 200 && second["refreshToken"] != first["refreshToken"])
    #expect(try bearer(second, anna).get("/api/auth/me").status == 200)
    let third = refresh(try second.string("refreshToken"))
    #expect(third.status == 200)
    #expect(refresh("nonsense").status == 401)
  }

  @Test func aRefreshTokenThatComesTwiceEndsItsSession() throws {
    let anna = try house.account()
    let first = anna.logIn()
    let second = refresh(try first.string("refreshToken"))
    let stolen = refresh(try first.string("refreshToken"))
    #expect(stolen.status == 401 && stolen.code == "unauthenticated")
    #expect(try bearer(first, anna).get("/api/auth/me").status == 401)
    #expect(try bearer(second, anna).get("/api/auth/me").status == 401)
    #expect(refresh(try second.string("refreshToken")).status == 401)
    // The other sessions of the account go on.
    #expect(anna.get("/api/auth/me").status == 200)
  }

  @Test func aRefreshTokenIsUsedOnceByThreadsAtOnce() throws {
    let anna = try house.account()
    let token = try anna.logIn().string("refreshToken")
    let statuses = inParallel(8) { _ in refresh(token).status }
    #expect(statuses.filter { $0 == 200 }.count == 1, "\(statuses)")
    #expect(statuses.allSatisfy { $0 == 200 || $0 == 401 })
  }

  @Test func aSessionThatIsNotUsedExpires() throws {
    let house = try House()
    let anna = try house.account()
    let token = try anna.logIn().string("refreshToken")
    house.clock.move(by: 30 * 86_400 + 1)
    let answer = house.nobody.post("/api/auth/refresh", ["refreshToken": .string(token)])
    #expect(answer.status == 401)
  }

  @Test func loggingOutEndsTheSession() throws {
    let anna = try house.account()
    let other = anna.logIn()
    #expect(try bearer(other, anna).post("/api/auth/logout").status == 204)
    #expect(try bearer(other, anna).get("/api/auth/me").status == 401)
    #expect(refresh(try other.string("refreshToken")).status == 401)
    #expect(anna.get("/api/auth/me").status == 200)
    let token = try anna.logIn().string("refreshToken")
    #expect(anna.post("/api/auth/logout", ["refreshToken": .string(token)]).status == 204)
    #expect(anna.get("/api/auth/me").status == 401)
  }

  // MARK: Passwords

  @Test func aNewPasswordEndsWhatWentBefore() throws {
    let anna = try house.account()
    let other = anna.logIn()
    let wrong = anna.post(
      "/api/auth/password", ["currentPassword": "guess", "newPassword": "brand new password"])
    #expect(wrong.status == 422 && wrong.fields == ["currentPassword wrong_password"])
    let short = anna.post(
      "/api/auth/password", ["currentPassword": .string(House.password), "newPassword": "short"])
    #expect(short.fields == ["newPassword too_short"])
    #expect(anna.get("/api/auth/me").status == 200)
    let right = anna.post(
      "/api/auth/password",
      ["currentPassword": .string(House.password), "newPassword": "brand new password"])
    #expect(right.status == 204)
    #expect(anna.get("/api/auth/me").status == 401)
    #expect(try bearer(other, anna).get("/api/auth/me").status == 401)
    #expect(refresh(try other.string("refreshToken")).status == 401)
    #expect(anna.logIn().status == 401)
    #expect(anna.logIn("brand new password").status == 200)
  }

  /// The token in the mail to `anna`, delivered by the sender.
  private func mailedToken(to anna: Client, in house: House) throws -> String? {
    let logger = Logger(label: "sender")
    _ = try Sender(app: house.app, logger: logger).run(for: .seconds(20))
    let directory = house.settings.state + "/mail"
    let mails = try FileManager.default.contentsOfDirectory(atPath: directory).sorted().map {
      try String(contentsOfFile: directory + "/" + $0, encoding: .utf8)
    }.filter { $0.contains("\r\nTo: \(anna.email)\r\n") }
    return mails.last?.split(separator: "token=").dropFirst().first.map { $0.prefix { !$0.isWhitespace } }
      .map(String.init)
  }

  @Test func aForgottenPasswordIsSetByMail() throws {
    let house = try House()
    let anna = try house.account()
    #expect(house.nobody.post("/api/auth/password/forgot", ["email": .string(anna.email)]).status == 204)
    // The token is not in the database, where whoever reads a backup would find it.
    #expect(try house.count("SELECT COUNT(*) FROM mail_outbox WHERE body LIKE '%token=%'") == 0)
    #expect(try house.count("SELECT COUNT(*) FROM mail_outbox WHERE sent_at IS NULL") == 1)
    let token = try #require(try mailedToken(to: anna, in: house))
    #expect(try house.count("SELECT COUNT(*) FROM mail_outbox WHERE sent_at IS NOT NULL AND body = ''") == 1)

    let short = house.nobody.post(
      "/api/auth/password/reset", ["token": .string(token), "newPassword": "short"])
    #expect(short.fields == ["newPassword too_short"])
    let reset = house.nobody.post(
      "/api/auth/password/reset", ["token": .string(token), "newPassword": "brand new password"])
    #expect(reset.status == 204)
    #expect(anna.get("/api/auth/me").status == 401)
    #expect(anna.logIn().status == 401 && anna.logIn("brand new password").status == 200)
    let again = house.nobody.post(
      "/api/auth/password/reset", ["token": .string(token), "newPassword": "brand newer password"])
    #expect(again.status == 422 && again.fields == ["token invalid_token"])
  }

  @Test func aForgottenPasswordTellsNothing() throws {
    let house = try House()
    let anna = try house.account()
    let known = house.nobody.post("/api/auth/password/forgot", ["email": .string(anna.email)])
    let unknown = house.nobody.post("/api/auth/password/forgot", ["email": "ghost@example.org"])
    #expect(known.status == 204 && unknown.status == 204 && known.bytes == unknown.bytes)
    #expect(known.headers.count == unknown.headers.count)
    #expect(try house.count("SELECT COUNT(*) FROM mail_outbox") == 1)
    #expect(try house.count("SELECT COUNT(*) FROM password_resets") == 1)
  }

  @Test func aResetTokenExpires() throws {
    let house = try House()
    let anna = try house.account()
    _ = house.nobody.post("/api/auth/password/forgot", ["email": .string(anna.email)])
    let token = try #require(try mailedToken(to: anna, in: house))
    house.clock.move(by: 3601)
    let answer = house.nobody.post(
      "/api/auth/password/reset", ["token": .string(token), "newPassword": "brand new password"])
    #expect(answer.fields == ["token invalid_token"])
    #expect(house.nobody.get("/account/reset-password?token=" + token).status == 410)
    #expect(anna.logIn().status == 200)
  }

  @Test func aForgottenPasswordIsSetOnThePageOfTheMail() throws {
    let house = try House()
    let anna = try house.account()
    _ = house.nobody.post("/api/auth/password/forgot", ["email": .string(anna.email)])
    let token = try #require(try mailedToken(to: anna, in: house))
    let page = house.nobody.get("/account/reset-password?token=" + token)
    #expect(page.status == 200 && page.text.contains("value=\"\(token)\""))
    let short = house.nobody.submit("/account/reset-password", "token=\(token)&newPassword=short")
    #expect(short.status == 422 && short.text.contains("value=\"\(token)\""))
    let done = house.nobody.submit("/account/reset-password", "token=\(token)&newPassword=brand+new+password")
    #expect(done.status == 200 && !done.text.contains(token))
    #expect(anna.logIn("brand new password").status == 200)
    let again = house.nobody.submit(
      "/account/reset-password", "token=\(token)&newPassword=brand+new+password")
    #expect(again.status == 410)
    #expect(house.nobody.get("/account/reset-password").status == 410)
  }

  // MARK: The cookie

  private struct Browser {
    var client: Client
    var csrf: String
    var setCookie: String
  }

  private func browser(_ anna: Client) throws -> Browser {
    var client = anna
    client.credentials = [:]
    let answer = client.post(
      "/api/auth/session", ["email": .string(anna.email), "password": .string(House.password)])
    let setCookie = try #require(answer.headers[.setCookie])
    client.credentials[.cookie] = "theme=dark; " + String(setCookie.prefix { $0 != ";" })
    return Browser(client: client, csrf: try answer.string("csrfToken"), setCookie: setCookie)
  }

  @Test func theCookieIsOutOfReachOfScripts() throws {
    let browser = try browser(try house.account())
    let parts = browser.setCookie.split(separator: ";").map { $0.drop { $0 == " " } }
    let first = try #require(parts.first)
    #expect(first.hasPrefix("fl_session=") && first.utf8.count > 40)
    for part in ["HttpOnly", "SameSite=Lax", "Secure", "Path=/"] {
      #expect(parts.contains { $0 == part }, "\(part)")
    }
    let session = browser.client.get("/api/auth/session")
    #expect(session["csrfToken"]?.string == browser.csrf)
    #expect(session["user"]?["email"]?.string == browser.client.email)
    // A JWT has no cookie session.
    #expect(try house.account().get("/api/auth/session").status == 404)
  }

  @Test func writesUnderTheCookieNeedTheToken() throws {
    let browser = try browser(try house.account())
    let other = try self.browser(try house.account())
    let anna = browser.client
    let link: JSON = ["destinationUrl": "https://example.org/"]
    #expect(anna.get("/api/links").status == 200)
    for headers: HTTPFields in [[:], [.csrfToken: ""], [.csrfToken: other.csrf]] {
      let answer = anna.post("/api/links", link, headers)
      #expect(answer.status == 403 && answer.code == "csrf_token_missing")
    }
    #expect(anna.get("/api/links")["total"] == 0)
    let made = anna.post("/api/links", link, [.csrfToken: browser.csrf])
    #expect(made.status == 201)
    #expect(anna.delete(try made.path()).status == 403)
    #expect(anna.patch(try made.path(), ["title": "x"]).status == 403)
  }

  @Test func theCookieCountsOnTheOwnOriginAlone() throws {
    let browser = try browser(try house.account())
    let anna = browser.client
    for origin in ["https://evil.example", "null", "http://go.example", "https://go.example:8443"] {
      #expect(anna.get("/api/links", [.origin: origin]).status == 401, "\(origin)")
      let written = anna.post(
        "/api/links", ["destinationUrl": "https://example.org/"],
        [.origin: origin, .csrfToken: browser.csrf])
      #expect(written.status == 401, "\(origin)")
    }
    #expect(anna.get("/api/links", [.origin: House.origin]).status == 200)
  }

  @Test func theCookieEndsWithTheSession() throws {
    let browser = try browser(try house.account())
    let anna = browser.client
    #expect(anna.delete("/api/auth/session").status == 403)
    let ended = anna.delete("/api/auth/session", [.csrfToken: browser.csrf])
    #expect(ended.status == 204)
    #expect(ended.headers[.setCookie]?.hasPrefix("fl_session=; Path=/; Max-Age=0;") == true)
    #expect(anna.get("/api/auth/session").status == 401)
  }

  @Test func aNewPasswordKeepsTheBrowserThatSetIt() throws {
    let anna = try house.account()
    let browser = try browser(anna)
    let other = try self.browser(anna)
    let answer = browser.client.post(
      "/api/auth/password",
      ["currentPassword": .string(House.password), "newPassword": "brand new password"],
      [.csrfToken: browser.csrf])
    #expect(answer.status == 204)
    #expect(browser.client.get("/api/auth/session").status == 200)
    #expect(other.client.get("/api/auth/session").status == 401)
    #expect(anna.get("/api/auth/me").status == 401)
  }
}
