// swift-tools-version: 6.2
import PackageDescription

let common: [SwiftSetting] = [
  .enableUpcomingFeature("ExistentialAny"),
  .treatAllWarnings(as: .error),
]

/// For the targets that touch C: every unsafe use is marked where it stands.
let touchesC: [SwiftSetting] = common + [.strictMemorySafety()]

let httpTypes: Target.Dependency = .product(name: "HTTPTypes", package: "swift-http-types")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let arguments: Target.Dependency = .product(
  name: "ArgumentParser", package: "swift-argument-parser")
let mustache: Target.Dependency = .product(name: "Mustache", package: "swift-mustache")

let package = Package(
  name: "FastLinkIt",
  products: [
    .executable(name: "fastlinkit", targets: ["fastlinkit"]),
    .executable(name: "fastlinkit-sender", targets: ["fastlinkit-sender"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
    .package(url: "https://github.com/hummingbird-project/swift-mustache", from: "2.1.1"),
  ],
  targets: [
    // The C libraries, one module each.
    .systemLibrary(name: "CMariaDB", pkgConfig: "libmariadb"),
    .systemLibrary(name: "COpenSSL", pkgConfig: "libcrypto"),
    .systemLibrary(name: "CArgon2", pkgConfig: "libargon2"),
    .systemLibrary(name: "CFastCGI", pkgConfig: "fcgi"),
    .systemLibrary(name: "CEpoll"),
    .systemLibrary(name: "CQREncode", pkgConfig: "libqrencode"),
    .systemLibrary(name: "CGD"),
    .systemLibrary(name: "CMaxMindDB", pkgConfig: "libmaxminddb"),
    .systemLibrary(name: "CCurl"),
    .systemLibrary(name: "CResolv"),

    // The libraries, each hiding one thing. Imports only ever point down.
    .target(name: "FLValues", swiftSettings: common),
    .target(name: "FLHTTP", dependencies: ["FLValues", httpTypes], swiftSettings: common),
    .target(
      name: "FLFastCGI", dependencies: ["CFastCGI", "CEpoll", "FLHTTP", logging, httpTypes],
      swiftSettings: touchesC),
    .target(name: "FLMariaDB", dependencies: ["CMariaDB", "FLValues", logging], swiftSettings: touchesC),
    .target(name: "FLCrypto", dependencies: ["COpenSSL", "CArgon2", "FLValues"], swiftSettings: touchesC),
    .target(name: "FLQRCode", dependencies: ["CQREncode", "CGD"], swiftSettings: touchesC),
    .target(name: "FLGeoIP", dependencies: ["CMaxMindDB", "FLValues", logging], swiftSettings: touchesC),
    .target(name: "FLMail", dependencies: ["FLCrypto", "FLValues"], swiftSettings: common),
    .target(name: "FLTransfer", dependencies: ["CCurl", "FLValues"], swiftSettings: touchesC),
    .target(name: "FLDNS", dependencies: ["CResolv", "FLValues"], swiftSettings: touchesC),
    .target(name: "FLInterchange", swiftSettings: common),

    // The product.
    .target(
      name: "FLApp",
      dependencies: [
        "FLHTTP", "FLMariaDB", "FLCrypto", "FLValues", "FLQRCode", "FLGeoIP", "FLTransfer", "FLMail", "FLDNS",
        "FLInterchange", mustache, logging, httpTypes,
      ],
      swiftSettings: common),
    .target(
      name: "FLDelivery",
      dependencies: ["FLApp", "FLMail", "FLMariaDB", "FLCrypto", "FLTransfer", "FLValues", logging],
      swiftSettings: common),
    .executableTarget(
      name: "fastlinkit",
      dependencies: [
        "FLApp", "FLFastCGI", "FLMariaDB", "FLValues", "FLCrypto", "FLHTTP", arguments, logging,
      ],
      swiftSettings: common),
    .executableTarget(
      name: "fastlinkit-sender",
      dependencies: ["FLApp", "FLDelivery", "FLMariaDB", "FLValues", arguments, logging],
      swiftSettings: common),

    // Servers for tests; no product depends on it.
    .target(name: "FLTestDatabase", dependencies: ["FLMariaDB", logging], swiftSettings: common),
    // A responder that tells what it received, for the tests of the transport.
    .executableTarget(
      name: "fcgi-echo", dependencies: ["FLFastCGI", "FLHTTP", logging, httpTypes],
      path: "Tests/Programs/fcgi-echo", swiftSettings: common),

    .testTarget(name: "FLValuesTests", dependencies: ["FLValues"], swiftSettings: common),
    .testTarget(name: "FLHTTPTests", dependencies: ["FLHTTP"], swiftSettings: common),
    .testTarget(
      name: "FLFastCGITests", dependencies: ["FLFastCGI", "FLHTTP", "fcgi-echo"], swiftSettings: common),
    .testTarget(
      name: "FLMariaDBTests", dependencies: ["FLMariaDB", "FLTestDatabase", "FLValues", logging],
      swiftSettings: common),
    .testTarget(name: "FLCryptoTests", dependencies: ["FLCrypto"], swiftSettings: common),
    .testTarget(
      name: "FLMailTests", dependencies: ["FLMail", "FLCrypto", "FLValues"], swiftSettings: common),
    .testTarget(name: "FLQRCodeTests", dependencies: ["FLQRCode"], swiftSettings: common),
    .testTarget(name: "FLGeoIPTests", dependencies: ["FLGeoIP", "FLValues", logging], swiftSettings: common),
    .testTarget(name: "FLTransferTests", dependencies: ["FLTransfer", "FLValues"], swiftSettings: common),
    .testTarget(
      name: "FLDeliveryTests", dependencies: ["FLDelivery", "FLApp", "FLValues"], swiftSettings: common),
    .testTarget(name: "FLDNSTests", dependencies: ["FLDNS"], swiftSettings: common),
    .testTarget(name: "FLInterchangeTests", dependencies: ["FLInterchange"], swiftSettings: common),
    // A process for the tests of the clicks to kill, and their stopwatch.
    .executableTarget(
      name: "click-spooler", dependencies: ["FLApp", "FLMariaDB", "FLValues", logging],
      path: "Tests/Programs/click-spooler", swiftSettings: common),
    .testTarget(
      name: "FLAppTests",
      dependencies: [
        "FLApp", "FLCrypto", "FLDelivery", "FLHTTP", "FLMariaDB", "FLTestDatabase", "FLValues",
        "click-spooler", "FLQRCode",
        httpTypes, logging,
      ], swiftSettings: common),
  ],
  swiftLanguageModes: [.v6]
)
