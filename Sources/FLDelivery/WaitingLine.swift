import Foundation

/// A bounded line between threads: those who have something put it in, those who work take it out.
final class WaitingLine<Item: Sendable>: @unchecked Sendable {
  // `@unchecked`: the items and the flag are touched under the condition's lock alone.
  private let condition = NSCondition()
  private var items: [Item] = []
  private var head = 0
  private var isClosed = false

  /// How many wait.
  var count: Int {
    condition.lock()
    defer { condition.unlock() }
    return items.count - head
  }

  /// Whether such an item waits.
  func contains(where matches: (Item) -> Bool) -> Bool {
    condition.lock()
    defer { condition.unlock() }
    return items[head...].contains(where: matches)
  }

  /// Puts items at the end.
  func append(_ new: [Item]) {
    condition.lock()
    items += new
    condition.broadcast()
    condition.unlock()
  }

  /// The next item, if one waits.
  func takeIfAny() -> Item? {
    condition.lock()
    defer { condition.unlock() }
    return pop()
  }

  /// The next item; waits for one for as long as the line is open, and answers nil when it is closed and empty.
  func take() -> Item? {
    condition.lock()
    defer { condition.unlock() }
    while true {
      if let item = pop() { return item }
      if isClosed { return nil }
      condition.wait()
    }
  }

  /// Waits until fewer than `few` wait, for at most `seconds`; for whoever fills the line.
  func await(fewerThan few: Int, for seconds: Double) {
    let limit = Date(timeIntervalSinceNow: seconds)
    condition.lock()
    while items.count - head >= few, condition.wait(until: limit) {}
    condition.unlock()
  }

  /// Takes what waits out, and lets nobody wait for more.
  func close() -> [Item] {
    condition.lock()
    defer { condition.unlock() }
    isClosed = true
    let left = Array(items[head...])
    items = []
    head = 0
    condition.broadcast()
    return left
  }

  private func pop() -> Item? {
    guard head < items.count else { return nil }
    let item = items[head]
    head += 1
    // Moved together now and then: taking from the front of an array costs its length.
    if head == items.count || head > 4096 {
      items.removeFirst(head)
      head = 0
    }
    condition.broadcast()
    return item
  }
}
