import FLTestDatabase
import FLValues
import Testing

@testable import FLMariaDB

@Suite struct RefusalTests {
  let database: Database

  init() throws {
    database = try freshDatabase()
    try database.run(
      """
      CREATE TABLE accounts (
        id INT NOT NULL, email VARCHAR(40) NOT NULL, age TINYINT UNSIGNED,
        PRIMARY KEY (id), UNIQUE KEY accounts_email (email), CONSTRAINT accounts_adult CHECK (age >= 18))
      """)
    try database.run(
      """
      CREATE TABLE links (
        id INT NOT NULL PRIMARY KEY, account INT NOT NULL,
        CONSTRAINT links_account FOREIGN KEY (account) REFERENCES accounts (id))
      """)
    try database.run("INSERT INTO accounts (id, email, age) VALUES (1, \("it's for key 'x'"), 20)")
  }

  @Test func duplicatesNameTheirKey() {
    #expect(throws: DatabaseError.duplicate(constraint: "accounts_email")) {
      try database.run("INSERT INTO accounts VALUES (2, \("it's for key 'x'"), NULL)")
    }
    #expect(throws: DatabaseError.duplicate(constraint: "PRIMARY")) {
      try database.run("INSERT INTO accounts VALUES (1, 'other', NULL)")
    }
  }

  @Test func foreignKeysAndChecksAreNamed() throws {
    #expect(throws: DatabaseError.foreignKey(constraint: "links_account")) {
      try database.run("INSERT INTO links VALUES (1, 99)")
    }
    try database.run("INSERT INTO links VALUES (1, 1)")
    #expect(throws: DatabaseError.foreignKey(constraint: "links_account")) {
      try database.run("DELETE FROM accounts")
    }
    #expect(throws: DatabaseError.check(constraint: "accounts_adult")) {
      try database.run("UPDATE accounts SET age = 17")
    }
  }

  @Test func whatDoesNotFitNamesItsColumn() {
    #expect(throws: DatabaseError.tooLong(column: "email")) {
      try database.run("UPDATE accounts SET email = \(String(repeating: "x", count: 41))")
    }
    #expect(throws: DatabaseError.tooLong(column: "age")) {
      try database.run("UPDATE accounts SET age = \(256)")
    }
  }

  @Test func bugsAreToldAsSuch() throws {
    func code(_ sql: SQL) -> Int? {
      do {
        try database.run(sql)
      } catch DatabaseError.failed(let code, _, _) {
        return code
      } catch {}
      return nil
    }
    #expect(code("SELEC 1") == 1064)
    #expect(code("SELECT * FROM nowhere") == 1146)
    #expect(code("SELECT 1; SELECT 2") == 1064)
    #expect(code("INSERT INTO accounts (id) VALUES (7)") == 1364)
    #expect(code("SELECT email, COUNT(*) FROM accounts") == 1140)
    #expect(code("SELECT id FROM accounts WHERE id = ?") == 0)
    // The connection goes on after each of them.
    #expect(try database.rows("SELECT 1").count == 1)
    try database.connection { connection in
      #expect(throws: DatabaseError.self) { try connection.query(Array("SELECT 1; SELECT 2".utf8)) }
      #expect(throws: DatabaseError.self) {
        try connection.query(Array("LOAD DATA LOCAL INFILE '/etc/hostname' INTO TABLE links".utf8))
      }
    }
  }

  @Test func theSessionIsStrictAndInUTC() throws {
    let row = try #require(
      try database.row(
        """
        SELECT @@time_zone AS zone, @@tx_isolation AS isolation, @@sql_mode AS mode,
          @@character_set_client AS charset, @@innodb_lock_wait_timeout AS lock_wait, @@autocommit AS auto
        """))
    #expect(try row["zone"] == "+00:00")
    #expect(try row["isolation"] == "READ-COMMITTED")
    #expect(try row["charset"] == "utf8mb4")
    #expect(try row["lock_wait"] == 10)
    #expect(try row["auto"] == true)
    let mode: String = try row["mode"]
    for part in [
      "STRICT_ALL_TABLES", "NO_ZERO_DATE", "NO_ZERO_IN_DATE", "ERROR_FOR_DIVISION_BY_ZERO",
      "NO_ENGINE_SUBSTITUTION", "ONLY_FULL_GROUP_BY",
    ] { #expect(mode.contains(part)) }
  }

  @Test func aSlowStatementIsEnded() throws {
    var configuration = database.configuration
    configuration.queryTimeout = .milliseconds(200)
    let hasty = Database(configuration, logger: database.logger)
    let start = ContinuousClock.now
    do {
      // SLEEP() answers 1 when it is interrupted, a statement that reads rows fails.
      _ = try hasty.rows("SELECT COUNT(*) FROM seq_1_to_100000 a, seq_1_to_100000 b")
      Issue.record("it ran to its end")
    } catch DatabaseError.unavailable {}
    #expect(ContinuousClock.now - start < .seconds(60))
    #expect(try hasty.rows("SELECT 1").count == 1)
  }

  @Test func theCacheOfStatementsIsBounded() throws {
    try database.connection { connection in
      for count in 1...Session.statementLimit + 40 {
        let numbers = Array(1...count)
        #expect(try connection.row("SELECT 1 IN (\(numbers)) AS found")?["found"] == true)
      }
      #expect(connection.session?.cachedStatements == Session.statementLimit)
      // The first ones are gone and come back, the last one is kept.
      #expect(try connection.row("SELECT 1 IN (\([1])) AS found")?["found"] == true)
      let status = try connection.row("SHOW SESSION STATUS LIKE 'Com_stmt_close'")
      let closed: String = try #require(try status?["Value"])
      #expect((Int(closed) ?? 0) >= 40)
    }
  }

  @Test func statementsSurviveAlteredTables() throws {
    try database.connection { connection in
      func first() throws -> Row { try #require(try connection.row("SELECT * FROM accounts")) }
      #expect(try first()["age"] == 20)
      try database.run("ALTER TABLE accounts MODIFY age VARCHAR(10), DROP CONSTRAINT accounts_adult")
      #expect(try first()["age"] == "20")
      try database.run("ALTER TABLE accounts ADD COLUMN note TEXT NULL FIRST")
      #expect(try first()["age"] == "20")
      #expect(try first()["email"] == "it's for key 'x'")
    }
  }
}
