import HTTPTypes

/// Finds the route of a request: a tree of path segments, in which a fixed segment goes before a varying one.
public struct Router<Caller>: Sendable {
  /// All routes, in the order in which they were given.
  public let routes: [Route<Caller>]
  private let root: Node

  private final class Node: Sendable {
    let fixed: [String: Node]
    let varying: Node?
    let routes: [HTTPRequest.Method: (route: Route<Caller>, names: [String])]

    init(
      fixed: [String: Node], varying: Node?,
      routes: [HTTPRequest.Method: (route: Route<Caller>, names: [String])]
    ) {
      self.fixed = fixed
      self.varying = varying
      self.routes = routes
    }

    convenience init(_ entries: [(segments: ArraySlice<Substring>, route: Route<Caller>)]) {
      var here: [HTTPRequest.Method: (route: Route<Caller>, names: [String])] = [:]
      for entry in entries where entry.segments.isEmpty {
        let names = entry.route.path.split(separator: "/").filter { $0.first == "{" }
        let isNew =
          here.updateValue(
            (entry.route, names.map { String($0.dropFirst().dropLast()) }), forKey: entry.route.method) == nil
        precondition(isNew, "two routes for \(entry.route.method) \(entry.route.path)")
      }
      let deeper = entries.filter { !$0.segments.isEmpty }
      let groups = Dictionary(grouping: deeper) {
        $0.segments.first.map { $0.first == "{" ? "" : String($0) } ?? ""
      }
      let nodes = groups.mapValues { Node($0.map { ($0.segments.dropFirst(), $0.route) }) }
      self.init(fixed: nodes.filter { $0.key != "" }, varying: nodes[""], routes: here)
    }
  }

  /// A router over `routes`, of which no two may have the same method and path.
  public init(_ routes: [Route<Caller>]) {
    self.routes = routes
    root = Node(routes.map { ($0.path.split(separator: "/")[...], $0) })
  }

  /// A route, and what its varying segments are in this request.
  public struct Match {
    /// The route.
    public let route: Route<Caller>
    let inputs: Inputs

    /// Reads what an operation has to read before it is known whether it ran before: the file of a form.
    public func prepare(_ call: Call<Caller>) throws -> Route<Caller>.Prepared {
      let prepared = try route.prepare(call, inputs)
      return Route<Caller>.Prepared(fingerprint: prepared.fingerprint) {
        var response = try prepared.respond()
        // A field of the call goes before the reply's; of its own it keeps all (`Set-Cookie`).
        for field in call.headers { response.headers[field.name] = nil }
        for field in call.headers { response.headers.append(field) }
        return response
      }
    }

    /// Runs the operation.
    public func respond(to call: Call<Caller>) throws -> Response { try prepare(call).respond() }
  }

  /// The route of `request`; HEAD is answered by the route of GET.
  /// - Throws: `Problem` 404 without one, 405 where the path takes other methods.
  public func match(_ request: Request) throws(Problem) -> Match {
    var values: [String] = []
    guard let node = find(request.path, &values) else { throw .notFound }
    let method = request.method == .head ? .get : request.method
    guard let (route, names) = node.routes[method] else {
      throw Problem(
        405, "method_not_allowed", "This address does not take this method.",
        headers: [.allow: allowed(at: node).joined(separator: ", ")])
    }
    let path = Dictionary(zip(names, values)) { first, _ in first }
    return Match(route: route, inputs: Inputs(path: path, query: FormValues(reading: request.query ?? "")))
  }

  /// The methods that the path of `request` takes; none where there is no such path.
  public func methods(of request: Request) -> [String] {
    var values: [String] = []
    guard let node = find(request.path, &values) else { return [] }
    return allowed(at: node)
  }

  private func allowed(at node: Node) -> [String] {
    var methods = Set(node.routes.keys.map(\.rawValue))
    if methods.contains("GET") { methods.insert("HEAD") }
    return (methods.union(["OPTIONS"])).sorted()
  }

  private func find(_ path: String, _ values: inout [String]) -> Node? {
    guard path.utf8.first == UInt8(ascii: "/") else { return nil }
    if path == "/" { return root.routes.isEmpty ? nil : root }
    let segments = path.utf8.dropFirst().split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
    return find(segments.map { Substring($0) }[...], at: root, &values)
  }

  private func find(_ segments: ArraySlice<Substring>, at node: Node, _ values: inout [String]) -> Node? {
    guard let segment = segments.first else { return node.routes.isEmpty ? nil : node }
    // What is encoded without need is the same address (RFC 3986, section 6.2.2.2).
    guard !segment.isEmpty, let value = PercentEncoding.decodeText(segment), !value.utf8.contains(0) else {
      return nil
    }
    if let next = node.fixed[value], let found = find(segments.dropFirst(), at: next, &values) {
      return found
    }
    guard let varying = node.varying else { return nil }
    values.append(value)
    if let found = find(segments.dropFirst(), at: varying, &values) { return found }
    values.removeLast()
    return nil
  }
}
