import FLValues
import Testing

@Suite struct AddressNetworksTests {
  @Test(
    "An address is in a network or not",
    arguments: [
      ("127.0.0.0/8", "127.255.0.1", true), ("127.0.0.0/8", "128.0.0.1", false),
      ("0.0.0.0/0", "8.8.8.8", true),
      ("10.1.2.3", "10.1.2.3", true), ("10.1.2.3", "10.1.2.2", false), ("10.1.2.0/31", "10.1.2.1", true),
      ("10.0.0.0/8, 192.168.0.0/16", "192.168.1.1", true), ("fd00::/8", "fdff::1", true),
      ("fd00::/8", "fe00::1", false),
      ("::1", "::1", true), ("::1/128", "::2", false), ("2001:db8::/64", "2001:db8::ffff", true),
      ("2001:db8::/64", "2001:db8:0:1::", false), ("2001:db8::8000/113", "2001:db8::ffff", true),
      ("2001:db8::8000/113", "2001:db8::7fff", false), ("::/0", "fe80::1", true),
      ("::/0", "127.0.0.1", false),
      ("127.0.0.0/8", "::ffff:127.0.0.1", true), ("127.0.0.0/8", "64:ff9b::7f00:1", false),
      ("", "127.0.0.1", false),
    ])
  func contains(networks: String, address: String, isIn: Bool) throws {
    #expect(try AddressNetworks(networks).contains(#require(IPAddress(address))) == isIn)
  }

  @Test func theyAreWrittenAsTheyAreRead() throws {
    let networks = try AddressNetworks(" 10.0.0.0/8,fd00::/8 , ::1 ")
    #expect(networks.description == "10.0.0.0/8,fd00::/8,::1/128")
    #expect(!networks.isEmpty && AddressNetworks().isEmpty)
    #expect(try AddressNetworks("  ").isEmpty)
  }

  @Test(
    "What is no network is told",
    arguments: [
      ("10.1.2.3/24", "10.1.2.0/24"), ("fd00::1/8", "fd00::/8"), ("10.0.0.0/33", "0 to 32"),
      ("::/129", "0 to 128"),
      ("10.0.0.0/", "0 to 32"), ("10.0.0.0/+8", "0 to 32"), ("10.0.0.0/8/8", "0 to 32"),
      ("10.0.0/8", "is no network"),
      ("localhost", "is no network"), ("10.0.0.0/8,", "is no network"), ("1.2.3.4;5.6.7.8", "is no network"),
      (",", "is no network"), ("1.1.1.1/0", "0.0.0.0/0"), ("fd00::/7", "fc00::/7"),
    ])
  func bad(text: String, says: String) {
    do {
      _ = try AddressNetworks(text)
      Issue.record("\(text) was taken")
    } catch { #expect(error.description.contains(says), "\(error)") }
  }
}
