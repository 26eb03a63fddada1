import FLValues
import Foundation
import Testing

@Suite struct IPAddressTests {
  @Test(
    "An address is read, and written in its canonical form",
    arguments: [
      ("8.8.8.8", "8.8.8.8"), ("0.0.0.0", "0.0.0.0"), ("255.255.255.255", "255.255.255.255"),
      ("2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"), ("::", "::"), ("::1", "::1"), ("1::", "1::"),
      ("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"), ("::ffff:192.0.2.1", "192.0.2.1"),
      ("::FFFF:c000:201", "192.0.2.1"), ("64:ff9b::8.8.8.8", "64:ff9b::808:808"),
      ("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"), ("::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"),
    ])
  func good(text: String, canonical: String) {
    #expect(IPAddress(text)?.description == canonical)
  }

  @Test(
    "What is no address is refused",
    arguments: [
      "", "1", "1.2.3", "1.2.3.4.5", "01.2.3.4", "1.2.3.256", "1.2.3.-4", "0x7f.0.0.1", "1.2.3.4 ",
      " 1.2.3.4",
      "2130706433", "1..2.3", "1.2.3.4/8", ":", ":::", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1::2::3",
      "12345::",
      "g::", "fe80::1%eth0", "[::1]", "1:2:3:4:5:6:7:8::", "::1:2:3:4:5:6:7:8", "1:", ":1", "::1.2.3",
      "1:2:3:4:5:6:7:1.2.3.4", "::1.2.3.4:5", "１.2.3.4", "1.2.3.4\0", "::1\n",
    ])
  func bad(text: String) { #expect(IPAddress(text) == nil) }

  @Test func theSystemReadsTheSame() throws {
    for _ in 0..<2000 {
      let address = IPAddress(
        high: .random(in: 0 ... .max) & .random(in: 0 ... .max),
        low: .random(in: 0 ... .max) & 0xFFFF_0000_0000_FFFF)
      var parsed = in6_addr()
      try #require(inet_pton(AF_INET6, address.description, &parsed) == 1, "\(address)")
      let bytes = withUnsafeBytes(of: &parsed) { Array($0) }
      #expect(Array(bytes[..<8]) == address.networkBytes)
      #expect(IPAddress(address.description) == address)
    }
  }

  @Test(
    "Reserved addresses have no place",
    arguments: [
      "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.127.255.255", "127.0.0.1", "169.254.1.1", "172.16.0.1",
      "172.31.255.255", "192.0.0.9", "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1",
      "198.19.255.255",
      "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255", "::", "::1",
      "fe80::1",
      "fc00::1", "fd12::1", "ff02::1", "2001::1", "2001:2::1", "2001:db8::1", "2001:10::1", "3fff::1",
      "5f00::1",
      "100::1", "64:ff9b:1::1", "64:ff9b::10.0.0.1", "2002:a00:1::", "::ffff:10.0.0.1", "::8.8.8.8",
    ])
  func reserved(text: String) throws { #expect(try #require(IPAddress(text)).isReserved) }

  @Test(
    "Others have one",
    arguments: [
      "1.1.1.1", "8.8.8.8", "100.63.255.255", "100.128.0.1", "172.15.0.1", "172.32.0.1", "192.0.1.1",
      "192.167.1.1",
      "198.17.0.1", "198.20.0.1", "223.255.255.255", "2001:4860:4860::8888", "2001:200::1", "2606:4700::1",
      "64:ff9b::8.8.8.8", "2002:808:808::1", "2a00::1",
    ])
  func ordinary(text: String) throws { #expect(try !#require(IPAddress(text)).isReserved) }

  @Test func aTranslatedAddressIsLookedUpByTheOneInside() throws {
    #expect(try #require(IPAddress("64:ff9b::8.8.8.8")).located.description == "8.8.8.8")
    #expect(try #require(IPAddress("2002:808:808::1")).located.description == "8.8.8.8")
  }
}
