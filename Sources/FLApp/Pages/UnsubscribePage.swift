/// The page at the address of a mail that unsubscribes.
struct UnsubscribePage: PublicPage {
  /// How far it has come.
  enum State: Sendable, CaseIterable {
    /// Nothing has changed yet.
    case asking
    /// The address gets no more mailings.
    case done
    /// It was taken back.
    case back
    /// The address was not made here, or its mailing is gone.
    case unknown
  }

  /// Who the mail is from.
  let from: String?
  /// The address that it went to, not in full.
  let address: String?
  /// Where the form goes.
  let action: String
  let status: Int
  let isAsking: Bool
  let isDone: Bool
  let isBack: Bool
  let isUnknown: Bool

  /// The page in this state.
  init(state: State, from: String? = nil, address: String? = nil, action: String = "") {
    self.from = from
    self.address = address
    self.action = action
    status = state == .unknown ? 404 : 200
    isAsking = state == .asking
    isDone = state == .done
    isBack = state == .back
    isUnknown = state == .unknown
  }

  static let template = "unsubscribe"
  static var specimen: UnsubscribePage {
    UnsubscribePage(state: .asking, from: "Anna", address: "a…@example.org", action: "/m/u/x")
  }
}
