import FLTestDatabase
import FLValues
import Foundation
import Synchronization
import Testing

@testable import FLMariaDB

/// Runs `count` bodies in threads of their own and waits for all.
func inThreads(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) {
  let done = DispatchSemaphore(value: 0)
  for index in 0..<count {
    Thread.detachNewThread {
      body(index)
      done.signal()
    }
  }
  for _ in 0..<count { done.wait() }
}

/// Where two threads wait until both have come.
final class Meeting: Sendable {
  private let arrived = DispatchSemaphore(value: 0)
  private let other = DispatchSemaphore(value: 0)

  func wait(first: Bool) {
    (first ? arrived : other).signal()
    _ = (first ? other : arrived).wait(timeout: .now() + 60)
  }
}

@Suite struct TransactionTests {
  struct Refused: Error {}
  let database: Database

  init() throws {
    database = try freshDatabase()
    try database.run("CREATE TABLE accounts (id INT NOT NULL PRIMARY KEY, amount INT NOT NULL)")
    try database.run("INSERT INTO accounts VALUES (1, 100), (2, 100)")
  }

  func amount(_ id: Int) throws -> Int {
    let row = try #require(try database.row("SELECT amount FROM accounts WHERE id = \(id)"))
    return try row["amount"]
  }

  /// Ends the connection from another one, and waits until it is gone.
  func kill(_ connection: Connection) throws {
    let row = try #require(try connection.row("SELECT CONNECTION_ID() AS id"))
    let id: Int = try row["id"]
    try database.run("KILL CONNECTION \(id)")
    for _ in 0..<4000 {
      if try database.row("SELECT 1 FROM information_schema.processlist WHERE id = \(id)") == nil { return }
      usleep(5000)
    }
  }

  @Test func itCommitsAndRollsBack() throws {
    let result = try database.transaction { connection in
      try connection.run("UPDATE accounts SET amount = amount - 30 WHERE id = 1")
      // Others do not see it yet.
      #expect(try amount(1) == 100)
      return "done"
    }
    #expect(result == "done")
    #expect(try amount(1) == 70)
    #expect(throws: Refused.self) {
      try database.transaction { connection in
        try connection.run("UPDATE accounts SET amount = 0")
        throw Refused()
      }
    }
    #expect(try amount(1) == 70)
    #expect(throws: DatabaseError.self) {
      try database.transaction { connection in
        try connection.run("UPDATE accounts SET amount = 0")
        try connection.run("INSERT INTO accounts VALUES (1, 1)")
      }
    }
    #expect(try amount(1) == 70)
  }

  @Test func itDoesNotNestAndIsNotLeftOpen() throws {
    #expect(throws: DatabaseError.self) {
      try database.transaction { try $0.transaction { _ in } }
    }
    try database.connection { try $0.query(Array("START TRANSACTION".utf8)) }
    let open = try database.row("SELECT @@in_transaction AS open")
    #expect(try open?["open"] == false)
  }

  /// Two transactions lock the two rows in opposite order, so that one of them must lose.
  @Test func theLoserOfADeadlockRunsAgain() throws {
    let database = database
    let meeting = Meeting()
    let runs = Mutex(0)
    let errors = Mutex<[String]>([])
    inThreads(2) { index in
      let mine = index == 0 ? 1 : 2
      var isFirstRun = true
      do {
        try database.transaction { connection in
          runs.withLock { $0 += 1 }
          try connection.run("UPDATE accounts SET amount = amount + 1 WHERE id = \(mine)")
          if isFirstRun { meeting.wait(first: index == 0) }
          isFirstRun = false
          try connection.run("UPDATE accounts SET amount = amount + 1 WHERE id = \(3 - mine)")
        }
      } catch { errors.withLock { $0.append("\(error)") } }
    }
    #expect(errors.withLock { $0 } == [])
    #expect(runs.withLock { $0 } >= 3)
    #expect(try amount(1) == 102)
    #expect(try amount(2) == 102)
  }

  /// A body that swallows the deadlock must not have the rest of it run and committed without the first part.
  @Test func aSwallowedDeadlockIsNotCommitted() throws {
    let database = database
    let meeting = Meeting()
    inThreads(2) { index in
      let mine = index == 0 ? 1 : 2
      var isFirstRun = true
      try? database.transaction { connection in
        try connection.run("UPDATE accounts SET amount = amount + 1 WHERE id = \(mine)")
        if isFirstRun { meeting.wait(first: index == 0) }
        isFirstRun = false
        _ = try? connection.run("UPDATE accounts SET amount = amount + 1 WHERE id = \(3 - mine)")
      }
    }
    #expect(try amount(1) == 102)
    #expect(try amount(2) == 102)
  }

  @Test func conflictsThatLastAreTold() throws {
    let database = database
    let holding = DispatchSemaphore(value: 0)
    let release = DispatchSemaphore(value: 0)
    let ended = DispatchSemaphore(value: 0)
    Thread.detachNewThread {
      defer {
        holding.signal()
        ended.signal()
      }
      try? database.transaction { connection in
        try connection.run("UPDATE accounts SET amount = 1 WHERE id = 1")
        holding.signal()
        _ = release.wait(timeout: .now() + 60)
      }
    }
    defer { release.signal() }
    try #require(holding.wait(timeout: .now() + 60) == .success)
    var runs = 0
    #expect(throws: DatabaseError.conflict) {
      try database.transaction { connection in
        runs += 1
        try connection.query(Array("SET innodb_lock_wait_timeout = 0".utf8))
        try connection.run("UPDATE accounts SET amount = 2 WHERE id = 1")
      }
    }
    #expect(runs == 1 + Connection.conflictRetries)
    release.signal()
    try #require(ended.wait(timeout: .now() + 60) == .success)
    #expect(try amount(1) == 1)
  }

  @Test func aLostConnectionIsMadeGoodOutsideOfTransactions() throws {
    // Idle in the pool: noticed when it is lent.
    var configuration = database.configuration
    configuration.poolSize = 1
    let single = Database(configuration, logger: database.logger)
    try single.connection { try kill($0) }
    #expect(try single.run("UPDATE accounts SET amount = 5 WHERE id = 1") == 1)
    // While it is lent: a read, and a write that cannot be sent.
    try single.connection { connection in
      let before = connection.losses
      try kill(connection)
      #expect(try connection.rows("SELECT * FROM accounts").count == 2)
      try kill(connection)
      #expect(try connection.run("UPDATE accounts SET amount = amount + 1 WHERE id = 1") == 1)
      #expect(connection.losses == before + 2)
    }
    #expect(try amount(1) == 6)
  }

  @Test func aWriteThatMayHaveRunIsNotRepeated() throws {
    let database = database
    try database.run("CREATE TABLE slow (n INT)")
    let ids = Mutex<Int>(0)
    let ready = DispatchSemaphore(value: 0)
    let outcome = Mutex<String>("")
    let finished = DispatchSemaphore(value: 0)
    Thread.detachNewThread {
      defer {
        ready.signal()
        finished.signal()
      }
      do {
        try database.connection { connection in
          let row = try connection.row("SELECT CONNECTION_ID() AS id")
          ids.withLock { $0 = (try? row?["id"]) ?? 0 }
          ready.signal()
          try connection.run("INSERT INTO slow SELECT SLEEP(20)")
        }
      } catch DatabaseError.unavailable {
        outcome.withLock { $0 = "unavailable" }
      } catch { outcome.withLock { $0 = "\(error)" } }
    }
    try #require(ready.wait(timeout: .now() + 60) == .success)
    let id = ids.withLock { $0 }
    for _ in 0..<4000 {
      let row = try database.row(
        "SELECT 1 FROM information_schema.processlist WHERE id = \(id) AND info LIKE 'INSERT%'")
      if row != nil { break }
      usleep(5000)
    }
    try database.run("KILL CONNECTION \(id)")
    try #require(finished.wait(timeout: .now() + 60) == .success)
    #expect(outcome.withLock { $0 } == "unavailable")
    #expect(try database.rows("SELECT * FROM slow").isEmpty)
  }

  @Test func aTransactionThatLostItsConnectionFails() throws {
    var runs = 0
    do {
      try database.transaction { connection in
        runs += 1
        try connection.run("UPDATE accounts SET amount = 0 WHERE id = 1")
        try kill(connection)
        // Swallowing it does not help: nothing may run on another connection.
        _ = try? connection.rows("SELECT 1")
        #expect(throws: DatabaseError.self) {
          try connection.run("UPDATE accounts SET amount = 0 WHERE id = 2")
        }
      }
      Issue.record("it was committed")
    } catch DatabaseError.unavailable {}
    do {
      try database.transaction { connection in
        runs += 1
        try connection.run("UPDATE accounts SET amount = 0 WHERE id = 1")
        try kill(connection)
      }
      Issue.record("it was committed")
    } catch DatabaseError.unavailable(let reason) { #expect(reason.contains("COMMIT")) }
    #expect(runs == 2)
    #expect(try amount(1) == 100)
    #expect(try amount(2) == 100)
  }

  @Test func theServerMayComeBack() throws {
    let server = try TestServer()
    var configuration = try TestDatabase.fresh(on: server)
    configuration.poolSize = 3
    let database = Database(configuration, logger: database.logger)
    try database.run("CREATE TABLE t (n INT)")
    try database.connection { first in
      try first.run("INSERT INTO t VALUES (1)")
      // A second connection, which is idle when the server ends.
      #expect(try database.rows("SELECT * FROM t").count == 1)
      server.stop()
      #expect(throws: DatabaseError.self) { try first.rows("SELECT * FROM t") }
      do {
        try database.run("INSERT INTO t VALUES (2)")
        Issue.record("there is no server")
      } catch DatabaseError.unavailable {}
      try server.start()
      #expect(try first.rows("SELECT * FROM t").count == 1)
    }
    #expect(try database.run("INSERT INTO t VALUES (2)") == 1)
    do {
      try database.transaction { connection in
        try connection.run("INSERT INTO t VALUES (3)")
        server.stop(hard: true)
        try connection.run("INSERT INTO t VALUES (4)")
      }
      Issue.record("it was committed")
    } catch DatabaseError.unavailable {}
    try server.start()
    // Neither needs anybody to notice the loss before.
    try database.transaction { try $0.run("INSERT INTO t VALUES (5)") }
    #expect(try database.rows("SELECT * FROM t WHERE n IN (3, 4)").isEmpty)
    #expect(try database.rows("SELECT * FROM t WHERE n = 5").count == 1)
  }
}
