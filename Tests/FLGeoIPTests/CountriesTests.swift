import FLGeoIP
import Foundation
import Testing

@Suite struct CountriesTests {
  @Test func theCountriesAreThoseOfTheTable() throws {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let text = try String(contentsOf: root.appending(path: "geoip/countries.tsv"), encoding: .utf8)
    var count = 0
    for line in text.split(separator: "\n") where !line.hasPrefix("#") {
      let parts = line.split(separator: "\t").map(String.init)
      try #require(parts.count > 3, "\(line)")
      let country = try #require(Countries[parts[0]])
      #expect(country.name == parts[3] && country.continent == parts[1] && country.isEU == (parts[2] == "eu"))
      count += 1
    }
    #expect(count == Countries.all.count && count > 240)
  }
}
