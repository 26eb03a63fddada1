import HTTPTypes
import Testing

@testable import FLHTTP

struct PreconditionsTests {
  private let tag = EntityTag(version: 12, state: "7")

  private func matches(_ sent: String) -> Bool {
    do throws(Problem) {
      try Preconditions([.ifMatch: sent]).check(tag)
      return true
    } catch {
      #expect(error == .preconditionFailed)
      return false
    }
  }

  private func isFresh(_ sent: String) -> Bool { Preconditions([.ifNoneMatch: sent]).isFresh(tag.text) }

  @Test func tagsAreWrittenInQuotes() {
    #expect(tag.text == "\"12.7\"")
    #expect(EntityTag(version: 3).text == "\"3\"")
  }

  @Test func ifMatchComparesTheVersionAlone() {
    #expect(matches("\"12.7\""))
    #expect(matches("\"12.8\""))
    #expect(matches("\"12\""))
    #expect(matches("*"))
    #expect(matches("\"1\" ,\t\"12.1\""))
    // A compressing web server makes the tag weak on its way out.
    #expect(matches("W/\"12.7\""))
    for other in [
      "\"1\"", "\"13.7\"", "\"120\"", "12", "12.7", "\"\"", "\"", "", ",", "\"*\"", "\"012\"", "\"x,12\"",
      "\"7.12\"",
    ] {
      #expect(!matches(other), "\(other)")
    }
  }

  @Test func ifNoneMatchComparesAllOfIt() {
    #expect(isFresh("\"12.7\""))
    #expect(isFresh("W/\"12.7\""))
    #expect(isFresh("\"1\", W/\"12.7\""))
    #expect(isFresh("*"))
    for other in ["\"12\"", "\"12.8\"", "12.7", "", "\"*\""] { #expect(!isFresh(other), "\(other)") }
  }

  @Test func withoutConditionsAllIsWell() throws {
    let none = Preconditions([:])
    try none.check(tag)
    #expect(!none.isFresh(tag.text))
  }
}
