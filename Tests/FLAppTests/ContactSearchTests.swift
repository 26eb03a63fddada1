import FLHTTP
import FLMariaDB
import FLValues
import Testing

@testable import FLApp

/// Finding contacts by the beginnings of words.
@Suite struct ContactSearchTests {
  private static let shared = Result { try House() }
  let house: House

  init() throws { house = try Self.shared.get() }

  private func found(_ anna: Client, _ text: String) -> [String] {
    let query = text.utf8.map { "%" + ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    let answer = anna.get("/api/contacts?search=" + query)
    return answer.items.compactMap { $0["email"]?.string }.sorted()
  }

  @Test func contactsAreFoundByAllTheirWords() throws {
    let anna = try house.account()
    _ = try anna.contact([
      "email": "jose.garcia@firma.example", "firstName": "José", "lastName": "García-Müller",
      "company": "Straße & Söhne", "phones": [["number": "+41 (79) 123 45 67"]],
    ])
    _ = try anna.contact(["email": "joan@example.org", "name": "Joan Smith", "company": "Zoë's Ice"])
    let jose = ["jose.garcia@firma.example"]
    for text in [
      "jose", "JOSÉ", "garcia", "mull", "Müller", "strasse", "söhne", "jose gar", "gar jos",
      "jose.garcia@firma",
      "firma.example", "@firma", "+41 79 123 45 67", "0041791234567", "079 123 45 67", "1234567", "41791",
      "garcía-müller", "jose jose",
    ] {
      #expect(found(anna, text) == jose, "\(text)")
    }
    #expect(found(anna, "jo") == ["joan@example.org"] + jose)
    for text in ["jose smith", "arcia", "jose.garcia@example", "!!!", "%", "jo_n", "799", "\u{10FFFF}"] {
      #expect(found(anna, text).isEmpty, "\(text)")
    }
    #expect(found(anna, "   ").count == 2 && found(anna, "").count == 2)
    #expect(found(try house.account(), "jo").isEmpty)
    #expect(anna.get("/api/contacts?search=jo&sort=email").fields == ["sort not_with_search"])
    #expect(anna.get("/api/contacts?search=jo&sort=-createdAt").status == 200)
  }

  @Test func wordsFollowTheContact() throws {
    let anna = try house.account()
    let contact = try anna.contact(["email": "a@example.org", "firstName": "Old"])
    let path = try contact.path("/api/contacts")
    _ = anna.patch(path, ["firstName": "New", "email": "b@example.org"])
    #expect(found(anna, "old").isEmpty && found(anna, "a@example").isEmpty)
    #expect(found(anna, "new") == ["b@example.org"])
    let phone = anna.post(path + "/phones", ["number": "555 000 111"])
    #expect(found(anna, "555000111") == ["b@example.org"])
    _ = anna.delete(phone.location ?? "")
    #expect(found(anna, "555000111").isEmpty)
  }

  @Test func ofTwoCommonWordsTheRarerOneIsWalked() throws {
    let anna = try house.account()
    // Each has the company, one in three begins with "Rare"; both are more than are counted.
    let rows = (0..<3600).map { number in
      JSON.object([
        "email": .string("w\(number)@example.org"), "company": "Widget",
        "firstName": .string(number % 3 == 0 ? "Rare\(number)" : "Usual\(number)"),
      ])
    }
    #expect(anna.post("/api/contacts/bulk", ["contacts": .array(rows)])["created"] == 3600)
    _ = try house.app.database.rows("ANALYZE TABLE contact_words")
    let account = try #require(AccountID(try anna.get("/api/auth/me").string("id")))
    for words in [["widget", "rare"], ["rare", "widget"]] {
      let search = ContactSearch(
        account: account, queries: house.app.database, words: words, filter: ContactFilter())
      var cursor: Cursor?
      var found: Set<ContactID> = []
      for _ in 0..<12 {
        let page = try search.page(behind: cursor, limit: 100)
        #expect(page.hits.allSatisfy { $0.word.hasPrefix("rare") } && page.isLowerBound)
        let hits = page.hits.prefix(100)
        found.formUnion(hits.map(\.contact))
        cursor = hits.last.map { Cursor(order: ContactSearch.order, value: $0.word, id: $0.contact) }
      }
      #expect(found.count == 1200)
    }
  }

  @Test func pagesHaveEachContactOnce() throws {
    let anna = try house.account()
    for index in 0..<30 {
      _ = try anna.contact([
        "email": .string("p\(index)@example.org"), "firstName": "Anna",
        "lastName": .string("Anderson \(index)"),
      ])
    }
    for query in ["an", "an example", "an&isBounced=false"] {
      var seen: [String] = []
      var cursor = ""
      repeat {
        let page = anna.get("/api/contacts?limit=7&search=\(query.replacing(" ", with: "%20"))\(cursor)")
        #expect(page["total"] == 30 && page["totalIsLowerBound"] == false)
        seen += page.items.compactMap { $0["id"]?.string }
        cursor = page["nextCursor"]?.string.map { "&cursor=" + $0 } ?? ""
      } while !cursor.isEmpty && seen.count < 100
      #expect(seen.count == 30 && Set(seen).count == 30, "\(query)")
    }
  }

  @Test func countingEnds() throws {
    let anna = try house.account()
    let rows = (0..<1200).map { JSON.object(["email": .string("p\($0)@example.org"), "firstName": "Anna"]) }
    #expect(anna.post("/api/contacts/bulk", ["contacts": .array(rows)]).status == 200)
    let counts = [("anna", 1000), ("an", 1000), ("anna%20example", 100), ("anna&isBounced=false", 100)]
    for (query, count) in counts {
      let page = anna.get("/api/contacts?search=" + query)
      #expect(
        page["total"] == .integer(Int64(count)) && page["totalIsLowerBound"] == true && page.items.count == 25
      )
    }
    let all = anna.get("/api/contacts?isBounced=false")
    #expect(all["total"] == 1200 && all["totalIsLowerBound"] == false)
  }

  @Test func wordsAreFewAndShort() {
    let words = ContactWords.all(
      email: "x@example.org",
      texts: [String(repeating: "é", count: 255), (0..<100).map { "w\($0)" }.joined(separator: " ")],
      digits: ["123456789"])
    #expect(words.count == ContactWords.most && words.allSatisfy { $0.unicodeScalars.count <= 64 })
    #expect(words.contains(String(repeating: "e", count: 64)))
  }
}
