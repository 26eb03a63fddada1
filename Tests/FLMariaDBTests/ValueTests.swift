import FLTestDatabase
import FLValues
import Logging
import Testing

@testable import FLMariaDB

/// Opens a database of its own for one test.
func freshDatabase(
  poolSize: Int = 4, poolWait: Duration = .seconds(5), queryTimeout: Duration = .seconds(30)
) throws -> Database {
  var configuration = try TestDatabase.fresh()
  configuration.poolSize = poolSize
  configuration.poolWait = poolWait
  configuration.queryTimeout = queryTimeout
  return Database(configuration, logger: Logger(label: "test"))
}

enum Colour: String, SQLConvertible { case red, green }
enum Rank: Int, SQLConvertible { case low = 1, high = 9 }
enum Thing {}

@Suite struct ValueTests {
  let database: Database

  init() throws {
    database = try freshDatabase()
    try database.run(
      """
      CREATE TABLE things (
        id BINARY(16) NOT NULL PRIMARY KEY, whole BIGINT, small INT, flag TINYINT, number DOUBLE,
        words TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin, file LONGBLOB, moment DATETIME(6),
        colour VARCHAR(10), rank_ INT, big BIGINT UNSIGNED, price DECIMAL(20, 2), bits BIT(12), day DATE)
      """)
  }

  /// Writes `value` into the column and reads it back.
  func roundTrip<Value: SQLConvertible>(_ value: Value, _ column: SQL) throws -> Value {
    let id = ID<Thing>(at: .now)
    try database.run("INSERT INTO things (id, \(column)) VALUES (\(id), \(value))")
    let row = try #require(try database.row("SELECT \(column) AS value FROM things WHERE id = \(id)"))
    return try row["value"]
  }

  @Test func integersReturn() throws {
    for value in [0, 1, -1, Int.max, Int.min] { #expect(try roundTrip(value, "whole") == value) }
    #expect(try roundTrip(Int64.min, "whole") == Int64.min)
    #expect(try roundTrip(Int32.min, "small") == Int32.min)
    #expect(try roundTrip(UInt32.max, "whole") == UInt32.max)
    #expect(try roundTrip(true, "flag"))
    #expect(try roundTrip(false, "flag") == false)
  }

  @Test func doublesReturn() throws {
    for value in [0, 1.5, -1e300, Double.leastNonzeroMagnitude, .greatestFiniteMagnitude] {
      #expect(try roundTrip(value, "number") == value)
    }
  }

  @Test func textsReturn() throws {
    let texts = [
      "", "plain", "it's \"quoted\" \\ ; -- ? % _", "👩‍👩‍👧‍👦 ß 漢字", "before\0after", "\r\n\t",
      "'); DROP TABLE things; --", String(repeating: "x", count: 255), String(repeating: "é", count: 128),
      String(repeating: "é", count: 200), String(repeating: "y", count: 256),
      String(repeating: "z", count: 257),
    ]
    for text in texts { #expect(try roundTrip(text, "words") == text) }
    #expect(try database.rows("SELECT id FROM things").count == texts.count)
  }

  @Test func bytesReturn() throws {
    let small = [UInt8](0...255)
    #expect(try roundTrip(small, "file") == small)
    #expect(try roundTrip([UInt8](), "file") == [])
    var state: UInt64 = 1
    let large = (0..<4 << 20).map { _ in
      state = state &* 6_364_136_223_846_793_005 &+ 1
      return UInt8(truncatingIfNeeded: state >> 56)
    }
    #expect(try roundTrip(large, "file") == large)
    // The next execution of the same statement has small buffers again.
    #expect(try roundTrip(small, "file") == small)
  }

  @Test func textBeyondTheNetworkPacketIsReadWhole() throws {
    let row = try database.row("SELECT REPEAT('ä', \(9 << 20)) AS words, 'after' AS next")
    let words: String = try #require(try row?["words"])
    #expect(words.utf8.count == 18 << 20)
    #expect(try row?["next"] == "after")
  }

  @Test func timesReturn() throws {
    for text in [
      "2026-11-22T08:27:00Z", "1970-01-01T00:00:00Z", "1969-12-31T23:59:59.999999Z",
      "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2024-02-29T12:00:00.000001Z",
    ] {
      let time = try #require(Timestamp(rfc3339: text))
      #expect(try roundTrip(time, "moment") == time)
    }
    let outside = Timestamp(seconds: 300_000_000_000)
    #expect(throws: DatabaseError.self) { try database.run("SELECT \(outside)") }
    let row = try database.row("SELECT DATE'2026-11-22' AS day, NOW(6) AS now, UTC_TIMESTAMP(6) AS utc")
    #expect(try row?["day"] == Timestamp(rfc3339: "2026-11-22T00:00:00Z"))
    let now: Timestamp = try #require(try row?["now"])
    #expect(try row?["utc"] == now)
    #expect((Timestamp.now - now) < .seconds(60) && (now - Timestamp.now) < .seconds(60))
  }

  @Test func identifiersEnumsAndNullsReturn() throws {
    let id = ID<Thing>(at: .now)
    try database.run("INSERT INTO things (id, colour, rank_) VALUES (\(id), \(Colour.green), \(Rank.high))")
    let row = try #require(try database.row("SELECT * FROM things WHERE id = \(id)"))
    let readID: ID<Thing> = try row["id"]
    #expect(readID == id)
    #expect(try row["colour"] == Colour.green)
    #expect(try row["rank_"] == Rank.high)
    #expect(try row["words"] == String?.none)
    #expect(try row["moment"] == Timestamp?.none)
    #expect(throws: DatabaseError.conversion(column: "words", detail: "NULL cannot be read as String")) {
      let _: String = try row["words"]
    }
    #expect(try roundTrip(String?.none, "words") == nil)
    #expect(try roundTrip(Int?.some(3), "whole") == 3)
    try database.run("UPDATE things SET colour = 'blue'")
    #expect(throws: DatabaseError.self) {
      let _: Colour = try #require(try database.row("SELECT colour FROM things"))["colour"]
    }
  }

  @Test func decimalsAndUnsignedNumbersAreReadAsNumbers() throws {
    for number in [1, 2, 3] {
      try database.run(
        """
        INSERT INTO things (id, whole, price, big, bits)
        VALUES (\(ID<Thing>(at: .now)), \(number), 12.25, 18446744073709551615, b'100000000001')
        """)
    }
    let row = try #require(
      try database.row(
        """
        SELECT SUM(whole) AS sum, AVG(whole) AS mean, SUM(price) AS price, MAX(big) AS big, COUNT(*) AS count,
          MAX(bits) AS bits, SUM(flag) AS none FROM things
        """))
    #expect(try row["sum"] == 6)
    #expect(try row["sum"] == 6.0)
    #expect(try row["mean"] == 2)
    #expect(try row["price"] == 36.75)
    #expect(try row["count"] == 3)
    #expect(try row["none"] == Int?.none)
    #expect(try row["big"] == 18_446_744_073_709_551_615.0)
    #expect(throws: DatabaseError.self) { let _: Int = try row["big"] }
    #expect(throws: DatabaseError.self) { let _: Int = try row["price"] }
    #expect(try #require(try database.row("SELECT bits FROM things"))["bits"] == 0b1000_0000_0001)
    #expect(try #require(try database.row("SELECT 9223372036854775807 + 0 AS n"))["n"] == Int.max)
    #expect(try #require(try database.row("SELECT 7 AS yes"))["yes"] == true)
  }

  @Test func wrongNamesAndTypesAreRefused() throws {
    let row = try #require(
      try database.row("SELECT 1 AS one, 'a' AS a, 'b' AS a, x'00ff' AS raw, 5000000000"))
    func detail(_ body: () throws -> Void) -> String? {
      do {
        try body()
      } catch DatabaseError.conversion(let column, _) {
        return column
      } catch {}
      return nil
    }
    #expect(detail { let _: Int = try row["two"] } == "two")
    #expect(detail { let _: String = try row["a"] } == "a")
    #expect(detail { let _: String = try row["one"] } == "one")
    #expect(detail { let _: String = try row["raw"] } == "raw")
    #expect(detail { let _: Int = try row[1] } == "a")
    #expect(detail { let _: Int = try row[5] } == "5")
    #expect(detail { let _: Int32 = try row[4] } == "5000000000")
    #expect(try row[2] == "b")
    #expect(try row["raw"] == [UInt8]([0, 255]))
  }

  @Test func invalidTextIsRepaired() throws {
    try database.run("CREATE TABLE legacy (words VARCHAR(1000) CHARACTER SET latin1)")
    try database.run("INSERT INTO legacy VALUES (x'61ff62'), (REPEAT(x'ff', 400))")
    try database.connection { connection in
      // Makes the server send what is stored, which is no UTF-8.
      try connection.query(Array("SET character_set_results = NULL".utf8))
      let rows = try connection.rows("SELECT words FROM legacy ORDER BY LENGTH(words)")
      try #require(rows.count == 2)
      #expect(try rows[0]["words"] == "a\u{fffd}b")
      #expect(try rows[1]["words"] == String(repeating: "\u{fffd}", count: 400))
    }
  }

  @Test func arraysExpand() throws {
    for number in 1...5 {
      try database.run("INSERT INTO things (id, whole) VALUES (\(ID<Thing>(at: .now)), \(number))")
    }
    func count(_ numbers: [Int]) throws -> Int {
      let row = try database.row("SELECT COUNT(*) AS n FROM things WHERE whole IN (\(numbers))")
      return try #require(try row?["n"])
    }
    #expect(try count([1, 3, 9]) == 2)
    #expect(try count([]) == 0)
    #expect(try count([2]) == 1)
    #expect(try count(Array(1...1000)) == 5)
  }

  @Test func piecesNest() throws {
    let columns: SQL = "whole, words"
    let condition: SQL = "whole > \(1) AND words = \("b?")"
    let values = [(1, "a"), (2, "b?"), (3, "c")].map { number, word -> SQL in
      "(\(ID<Thing>(at: .now)), \(number), \(word))"
    }
    #expect(try database.run("INSERT INTO things (id, \(columns)) VALUES " + values.joined(by: ", ")) == 3)
    let rows = try database.rows(
      "SELECT \(columns) FROM things WHERE \(condition) OR whole = \(3) ORDER BY 1")
    #expect(try rows.map { try $0["whole"] as Int } == [2, 3])
    let none: [SQL] = []
    #expect(none.joined(by: " AND ").text == "")
    let sql: SQL = "a \(1) \([2, 3]) \([Int]()) \("x" as SQL)"
    #expect(sql.text == "a ? ?, ? NULL x")
    #expect(sql.values == [.integer(1), .integer(2), .integer(3)])
  }

  @Test func matchedRowsAreCounted() throws {
    try database.run("INSERT INTO things (id, whole) VALUES (\(ID<Thing>(at: .now)), 1)")
    #expect(try database.run("UPDATE things SET whole = 1") == 1)
    #expect(try database.run("UPDATE things SET whole = 2 WHERE whole = 9") == 0)
    #expect(try database.run("SELECT * FROM things") == 0)
    #expect(try database.rows("UPDATE things SET whole = 5").isEmpty)
    #expect(
      try database.rows("INSERT INTO things (id) VALUES (\(ID<Thing>(at: .now))) RETURNING id").count == 1)
    #expect(try database.run("DELETE FROM things") == 2)
  }

  @Test func typesOfParametersMayChange() throws {
    func echo<Value: SQLConvertible>(_ value: Value) throws -> Value {
      let row = try #require(try database.row("SELECT \(value) AS value"))
      return try row["value"]
    }
    for _ in 0..<3 {
      #expect(try echo(5) == 5)
      #expect(try echo("five") == "five")
      #expect(try echo(5.5) == 5.5)
      #expect(try echo(String?.none) == nil)
      #expect(try echo([UInt8]([0, 1, 254])) == [0, 1, 254])
      #expect(try echo(String(repeating: "long", count: 5000)).utf8.count == 20_000)
    }
  }
}
