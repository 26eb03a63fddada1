import FLHTTP

/// Where a link leads: to an address, or to a file of its account.
enum LinkTarget: Sendable, Equatable {
  /// An address, as it was written.
  case url(String)
  case file(FileID)

  var url: String? { if case .url(let url) = self { url } else { nil } }
  var file: FileID? { if case .file(let file) = self { file } else { nil } }

  /// The target of a link that is to be made; nil, and the problem told, unless there is just one.
  init?(url: WebURL?, file: FileID?, _ reading: inout Reading) {
    switch (url, file) {
    case (let url?, nil): self = .url(url.text)
    case (nil, let file?): self = .file(file)
    case (nil, nil):
      reading.member("destinationUrl") { $0.refuse("required", "A destinationUrl or a fileId is needed.") }
      return nil
    case (_?, _?):
      reading.member("fileId") { $0.refuse("conflicting", "A link leads to an address or to a file.") }
      return nil
    }
  }
}

/// What becomes of a link's target: one of the two is set, and the other one goes with that.
struct LinkTargetChange: Sendable, Equatable {
  /// The new target; nil where it stays.
  let target: LinkTarget?

  /// The target stays.
  static let none = LinkTargetChange(target: nil)

  private init(target: LinkTarget?) { self.target = target }

  /// Nil, and the problem told, where the patch sets both or clears what it does not replace.
  init?(url: Change<WebURL>, file: Change<FileID>, _ reading: inout Reading) {
    switch (url, file) {
    case (.set(let url), .keep), (.set(let url), .clear): target = .url(url.text)
    case (.keep, .set(let file)), (.clear, .set(let file)): target = .file(file)
    case (.keep, .keep): target = nil
    case (.set, .set):
      reading.member("fileId") { $0.refuse("conflicting", "A link leads to an address or to a file.") }
      return nil
    case (.clear, _):
      reading.member("destinationUrl") { $0.refuse("required", "A link needs a destinationUrl or a fileId.") }
      return nil
    case (.keep, .clear):
      // A client that sends back what it read has null in the one that is not used.
      target = nil
    }
  }
}
