import Foundation
import Synchronization

/// Something that several threads look at, and that one of them sets once.
final class Flag: Sendable {
  private let value = Atomic<Bool>(false)

  var isSet: Bool { value.load(ordering: .acquiring) }

  func set() { value.store(true, ordering: .releasing) }
}

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
