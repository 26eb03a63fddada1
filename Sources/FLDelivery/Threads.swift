import Foundation

extension Thread {
  /// Begins a thread called `name` that `group` waits for.
  static func begin(_ name: String, in group: DispatchGroup, _ body: @escaping @Sendable () -> Void) {
    group.enter()
    let thread = Thread {
      body()
      group.leave()
    }
    thread.name = name
    thread.stackSize = 1 << 20
    thread.start()
  }
}
