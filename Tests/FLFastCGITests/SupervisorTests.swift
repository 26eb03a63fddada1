import Foundation
import Testing

/// Several processes on one socket, and what happens when one of them ends.
@Suite(.timeLimit(.minutes(60)))
struct SupervisorTests {
  typealias Client = FastCGIClient

  /// The children of a process, by the kernel's list.
  private func children(of parent: Int32) -> Set<Int32> {
    let path = "/proc/\(parent)/task/\(parent)/children"
    let text = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
    return Set(text.split(separator: " ").compactMap { Int32($0) })
  }

  private func eventually(_ condition: () throws -> Bool) rethrows -> Bool {
    for _ in 0..<500 {
      if try condition() { return true }
      usleep(20_000)
    }
    return false
  }

  private func isAlive(_ pid: Int32) -> Bool {
    // A process that nobody has waited for is a zombie: as dead as can be.
    let status = (try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8)) ?? ") Z"
    return !status.contains(") Z")
  }

  @Test func keepsTheNumberOfProcesses() throws {
    let echo = try Echo("--processes", "3", "--threads", "2")
    let parent = echo.program.process.processIdentifier
    #expect(eventually { children(of: parent).count == 3 })
    let first = children(of: parent)
    let victim = try #require(first.first)
    kill(victim, SIGKILL)
    #expect(eventually { children(of: parent).subtracting(first).count == 1 })
    #expect(children(of: parent).isSuperset(of: first.subtracting([victim])))
    echo.program.signal(SIGTERM)
    #expect(echo.program.exitCode() == 0)
    #expect(eventually { !first.contains(where: isAlive) })
  }

  @Test func crashCostsTheOthersNothing() throws {
    let echo = try Echo("--processes", "2", "--threads", "2")
    var crashes = 0
    for round in 0..<60 {
      let client = try echo.connect()
      if round % 20 == 10 {
        client.send(Client.request("GET", "/crash"))
        #expect(client.answer() == nil)
        crashes += 1
      } else {
        #expect(try client.ask(Client.request("GET", "/n?\(round)", keep: false)).status == 200)
      }
    }
    #expect(crashes == 3)
  }

  @Test func reloadsWithoutLosingRequests() throws {
    let echo = try Echo("--processes", "2", "--threads", "2")
    let parent = echo.program.process.processIdentifier
    #expect(eventually { children(of: parent).count == 2 })
    let before = children(of: parent)
    usleep(300_000)
    echo.program.signal(SIGHUP)
    var answered = 0
    let replaced = try eventually {
      for _ in 0..<20 {
        if try echo.connect().ask(Client.request("GET", "/", keep: false)).status == 200 { answered += 1 }
      }
      let now = children(of: parent)
      return now.isDisjoint(with: before) && now.count == 2
    }
    #expect(replaced)
    #expect(answered > 20 && answered % 20 == 0)
  }

  @Test func childrenEndWithTheirParent() throws {
    let echo = try Echo("--processes", "2")
    let parent = echo.program.process.processIdentifier
    #expect(eventually { children(of: parent).count == 2 })
    _ = try echo.connect().ask(Client.request("GET", "/"))
    usleep(300_000)
    let orphans = children(of: parent)
    echo.program.signal(SIGKILL)
    #expect(eventually { !orphans.contains(where: isAlive) })
  }
}
