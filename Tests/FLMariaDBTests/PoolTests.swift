import FLTestDatabase
import Foundation
import Synchronization
import Testing

@testable import FLMariaDB

@Suite struct PoolTests {
  struct Refused: Error {}

  @Test func anEmptyPoolIsToldInTime() throws {
    let database = try freshDatabase(poolSize: 2, poolWait: .milliseconds(300))
    try database.connection { _ in
      try database.connection { _ in
        let start = ContinuousClock.now
        #expect(throws: DatabaseError.exhausted) { try database.rows("SELECT 1") }
        let waited = ContinuousClock.now - start
        #expect(waited >= .milliseconds(290) && waited < .seconds(30))
      }
      #expect(try database.rows("SELECT 1").count == 1)
    }
  }

  @Test func bodiesThatThrowGiveBack() throws {
    let database = try freshDatabase(poolSize: 1, poolWait: .milliseconds(300))
    for _ in 0..<5 {
      #expect(throws: Refused.self) { try database.connection { _ in throw Refused() } }
      #expect(throws: Refused.self) { try database.transaction { _ in throw Refused() } }
    }
    #expect(try database.rows("SELECT 1").count == 1)
  }

  @Test func theOneUsedLastIsLentFirst() throws {
    let database = try freshDatabase(poolSize: 4)
    func id(_ queries: some Queries) throws -> Int {
      let row = try #require(try queries.row("SELECT CONNECTION_ID() AS id"))
      return try row["id"]
    }
    let outer = try database.connection { first in
      let outer = try id(first)
      #expect(try id(database) != outer)
      return outer
    }
    #expect(try id(database) == outer)
    #expect(try id(database) == outer)
  }

  @Test func aServerThatIsNotThereIsUnavailable() throws {
    var configuration = try TestDatabase.fresh()
    configuration.socket = "/tmp/no-such-directory/socket"
    let database = Database(configuration, logger: .init(label: "test"))
    for _ in 0..<20 {
      do {
        try database.run("SELECT 1")
        Issue.record("connected to nothing")
      } catch DatabaseError.unavailable {}
    }
    configuration = try TestDatabase.fresh()
    configuration.name = "no_such_database"
    let nameless = Database(configuration, logger: .init(label: "test"))
    do {
      try nameless.run("SELECT 1")
      Issue.record("connected to nothing")
    } catch DatabaseError.unavailable {}
    #expect(!"\(Database.Configuration(password: "hush", name: "x"))".contains("hush"))
  }

  @Test func sixteenThreadsShareFourConnections() throws {
    let database = try freshDatabase(poolSize: 4, poolWait: .seconds(20))
    try database.run("CREATE TABLE counts (id INT NOT NULL PRIMARY KEY, n INT NOT NULL)")
    try database.run(
      "CREATE TABLE entries (thread INT NOT NULL, round INT NOT NULL, PRIMARY KEY (thread, round))")
    try database.run("INSERT INTO counts VALUES (1, 0)")
    let errors = Mutex<[String]>([])
    let ids = Mutex<Set<Int>>([])
    inThreads(16) { thread in
      for round in 0..<40 {
        do {
          try database.transaction { connection in
            let row = try connection.row("SELECT CONNECTION_ID() AS id")
            let id: Int? = try row?["id"]
            ids.withLock { _ = $0.insert(id ?? 0) }
            try connection.run("INSERT INTO entries VALUES (\(thread), \(round))")
            try connection.run("UPDATE counts SET n = n + 1 WHERE id = 1")
          }
          let found = try database.row(
            "SELECT round FROM entries WHERE thread = \(thread) AND round = \(round)")
          if try found?["round"] != round { errors.withLock { $0.append("lost \(thread) \(round)") } }
        } catch { errors.withLock { $0.append("\(error)") } }
      }
    }
    #expect(errors.withLock { $0 } == [])
    #expect(ids.withLock { $0.count } <= 4)
    #expect(try database.row("SELECT n FROM counts")?["n"] == 640)
    #expect(try database.row("SELECT COUNT(*) AS n FROM entries")?["n"] == 640)
  }
}
