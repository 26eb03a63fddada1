import HTTPTypes

/// What a route answers when all is well, and how an `Output` becomes that response.
public struct Reply<Output>: Sendable {
  let status: Int
  let description: String
  let contentTypes: [String]
  let schema: Schema?
  var tag: (@Sendable (Output) -> EntityTag)?
  let respond: @Sendable (Output) -> Response
  let hasLocation: Bool
  /// Other statuses of success, with the same kind of body.
  var others: [(status: Int, description: String)] = []

  /// 200 and the value.
  public static func ok(_ shape: Shape<Output>, _ description: String = "OK") -> Reply {
    json(200, shape, description)
  }

  /// 201, the value, and its address in `Location`.
  public static func created(
    _ shape: Shape<Output>, at location: @escaping @Sendable (Output) -> String
  ) -> Reply {
    json(201, shape, "Created", at: location)
  }

  /// 202 and the value: it will be done.
  public static func accepted(_ shape: Shape<Output>) -> Reply { json(202, shape, "Accepted") }

  /// 201 where `isDone` says that the value is whole, 202 where it will be later; the value, and its address in
  /// `Location`.
  public static func begun(
    _ shape: Shape<Output>, at location: @escaping @Sendable (Output) -> String,
    isDone: @escaping @Sendable (Output) -> Bool
  ) -> Reply {
    Reply(
      status: 201, description: "Created", contentTypes: ["application/json"], schema: shape.schema,
      respond: { output in
        Response(
          status: isDone(output) ? 201 : 202,
          headers: [.contentType: "application/json", .location: location(output)],
          body: .bytes(shape.bytes(output)))
      }, hasLocation: true, others: [(202, "Accepted: it goes on in the background.")])
  }

  private static func json(
    _ status: Int, _ shape: Shape<Output>, _ description: String,
    at location: (@Sendable (Output) -> String)? = nil
  ) -> Reply {
    Reply(
      status: status, description: description, contentTypes: ["application/json"], schema: shape.schema,
      respond: { output in
        var headers: HTTPFields = [.contentType: "application/json"]
        if let location { headers[.location] = location(output) }
        return Response(status: status, headers: headers, body: .bytes(shape.bytes(output)))
      }, hasLocation: location != nil)
  }

  /// The same, with the entity tag of the output: `ETag`, 304 to `If-None-Match`, 412 to a stale `If-Match`.
  public func tagged(_ tag: @escaping @Sendable (Output) -> EntityTag) -> Reply {
    var reply = self
    reply.tag = tag
    return reply
  }
}

extension Reply where Output == Void {
  /// 204.
  public static var noContent: Reply {
    Reply(
      status: 204, description: "No content", contentTypes: [], schema: nil,
      respond: { Response(status: 204) }, hasLocation: false)
  }
}

extension Reply where Output == Response {
  /// A response that the handler makes itself: pages, images, feeds.
  public static func made(
    _ contentTypes: String..., status: Int = 200, description: String,
    others: [(status: Int, description: String)] = []
  ) -> Reply {
    Reply(
      status: status, description: description, contentTypes: contentTypes, schema: nil, respond: { $0 },
      hasLocation: false, others: others)
  }
}

/// A part of a list.
public struct Page<Item: Sendable>: Sendable {
  /// The items of this part.
  public var items: [Item]
  /// The `cursor` of the next part; nil where this is the last.
  public var nextCursor: String?
  /// How many items the whole list has.
  public var total: Int

  /// A part of a list.
  public init(items: [Item], nextCursor: String?, total: Int) {
    self.items = items
    self.nextCursor = nextCursor
    self.total = total
  }

  /// The same page of other items.
  public func map<Other>(_ transform: (Item) throws -> Other) rethrows -> Page<Other> {
    Page<Other>(items: try items.map(transform), nextCursor: nextCursor, total: total)
  }
}

extension Reply {
  /// 200 and a part of a list.
  public static func list<Item>(_ shape: Shape<Item>, named name: String) -> Reply
  where Output == Page<Item> {
    .ok(
      .output(
        "\(name)List",
        [
          .init("items", \.items, .list(of: shape, atMost: 100)),
          .init("nextCursor", \.nextCursor, .optional(.string)),
          .init("total", \.total, .count),
        ]))
  }
}
