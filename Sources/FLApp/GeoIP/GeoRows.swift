import FLGeoIP
import FLHTTP
import FLMariaDB
import FLValues

/// Every SQL statement about answers on addresses. They are the same for all accounts: no account is in them.
struct GeoRows {
  let queries: any Queries

  /// What a row holds.
  struct Row {
    let network: [UInt8]
    let kept: KeptRecord
  }

  /// The answers for these networks that hold, of the databases of `generation` and of the provider (0).
  func find(_ networks: [[UInt8]], generation: Int64, at now: Timestamp) throws -> [Row] {
    try queries.rows(
      """
      SELECT network, source, generation, answer, asked_at, expires_at FROM geoip_answers
      WHERE network IN (\(networks)) AND generation IN (\([generation, 0])) AND expires_at > \(now)
      """
    ).map { row in
      let answer: String = try row["answer"]
      return Row(
        network: try row["network"],
        kept: KeptRecord(
          record: GeoRecord(kept: (try? JSON(reading: Array(answer.utf8))) ?? [:]), source: try row["source"],
          generation: try row["generation"], askedAt: try row["asked_at"], expiresAt: try row["expires_at"]))
    }
  }

  /// Keeps answers, each in place of an older one.
  func keep(_ rows: [Row]) throws {
    guard !rows.isEmpty else { return }
    let values = rows.map { row -> SQL in
      let kept = row.kept
      return """
        (\(row.network), \(String(kept.source.prefix(250))), \(kept.generation), \(!kept.record.isEmpty), \
        \(kept.record.json.text), \(kept.askedAt), \(kept.expiresAt))
        """
    }
    let comma: SQL = ", "
    let list = values.joined(by: comma)
    _ = try queries.run(
      """
      INSERT INTO geoip_answers (network, source, generation, is_found, answer, asked_at, expires_at)
      VALUES \(list)
      ON DUPLICATE KEY UPDATE source = VALUES(source), is_found = VALUES(is_found), answer = VALUES(answer),
        asked_at = VALUES(asked_at), expires_at = VALUES(expires_at)
      """)
  }

  /// Takes away a part of what holds no more.
  func purge(at now: Timestamp) throws {
    _ = try queries.run("DELETE FROM geoip_answers WHERE expires_at <= \(now) LIMIT 10000")
  }
}
