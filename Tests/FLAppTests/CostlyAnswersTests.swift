import Foundation
import Testing

@testable import FLApp

@Suite struct CostlyAnswersTests {
  @Test func whatIsQuickIsAskedForEachTime() {
    let answers = CostlyAnswers<Int, Int>(quick: .seconds(3600)) { _ in true }
    var asked: [[Int]] = []
    for _ in 0..<3 {
      let found = answers.values(for: [1, 2]) { keys in
        asked.append(keys)
        return [1: asked.count]
      }
      #expect(found == [1: asked.count])
    }
    #expect(asked == [[1, 2], [1, 2], [1, 2]])
  }

  @Test func whatTakesLongIsKeptWhereItMayBe() {
    let answers = CostlyAnswers<Int, Int> { $0 > 10 }
    func ask(_ keys: [Int], _ asked: inout [Int]) -> [Int: Int] {
      answers.values(for: keys) { missing in
        asked += missing
        // Kept for twenty times as long.
        Thread.sleep(forTimeInterval: 0.5)
        return Dictionary(uniqueKeysWithValues: missing.map { ($0, $0 * 10) })
      }
    }
    var asked: [Int] = []
    #expect(ask([1, 2], &asked) == [1: 10, 2: 20] && asked == [1, 2])
    #expect(ask([1, 2, 3], &asked) == [1: 10, 2: 20, 3: 30] && asked == [1, 2, 1, 3])
    #expect(ask([2, 3], &asked) == [2: 20, 3: 30] && asked == [1, 2, 1, 3])
  }

  @Test func whatFailsIsNotKept() {
    struct Failed: Error {}
    let answers = CostlyAnswers<Int, Int> { _ in true }
    #expect(throws: Failed.self) { try answers.values(for: [1]) { _ in throw Failed() } }
    #expect(answers.values(for: [1]) { _ in [1: 1] } == [1: 1])
  }
}
