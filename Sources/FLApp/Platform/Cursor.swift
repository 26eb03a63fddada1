import FLCrypto
import FLHTTP
import FLValues

/// Where a list goes on: behind the item that has this id and, in another order than by age, this value.
struct Cursor: Sendable, Equatable {
  let order: String
  let value: String
  private let item: [UInt8]

  init<Subject>(order: String = "", value: String = "", id: ID<Subject>) {
    self.order = order
    self.value = value
    item = id.bytes
  }

  /// Reads an opaque cursor; nil for what no list answered.
  init?(_ text: String) {
    guard let bytes = Base64URL.decode(text), let json = try? JSON(reading: bytes),
      let order = json[0]?.string,
      let value = json[1]?.string, let id = json[2]?.string.flatMap(ID<Cursor>.init)
    else { return nil }
    self.init(order: order, value: value, id: id)
  }

  /// The item's id.
  func id<Subject>() -> ID<Subject>? { ID(bytes: item) }

  /// The opaque text.
  var text: String {
    let id = ID<Cursor>(bytes: item)?.description ?? ""
    return Base64URL.encode(JSON.array([.string(order), .string(value), .string(id)]).bytes)
  }
}

extension Shape where Value == Cursor {
  static var cursor: Shape {
    Shape(
      schema: Schema(["type": "string", "minLength": 1]),
      read: { json, reading in
        guard let cursor = json.string.flatMap({ Cursor($0) }) else {
          reading.refuse("invalid_cursor", "This must be the nextCursor of the page before.")
          return nil
        }
        return cursor
      },
      write: { $1.string($0.text) })
  }
}

extension Parameter where Value == Int {
  /// How many items a page has: 1 to 100, 25 unless told.
  static var limit: Parameter {
    .query("limit", Shape.integer(1...100).defaulting(to: 25), "Items in a page.")
  }
}

extension Parameter where Value == Cursor? {
  /// Where the page begins.
  static var cursor: Parameter {
    .query("cursor", .optional(.cursor), "The `nextCursor` of the page before.")
  }
}

extension Page {
  /// The page that begins with `rows`, of which one more than `limit` was asked for, to know whether it goes on.
  init(_ rows: [Item], limit: Int, total: Int, cursor: (Item) -> Cursor) {
    let items = Array(rows.prefix(limit))
    let next = rows.count > limit ? items.last.map { cursor($0).text } : nil
    self.init(items: items, nextCursor: next, total: total)
  }
}
