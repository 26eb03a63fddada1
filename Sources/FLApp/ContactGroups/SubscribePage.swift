import FLHTTP
import FLValues

/// Where the page to subscribe is shown.
protocol SubscribePlace: Sendable {
  /// The template.
  static var template: String { get }
  /// What the browser may do there.
  static var policy: ContentPolicy { get }
  /// Whether other sites may show it in a frame.
  static var isFramable: Bool { get }
}

/// By itself, with the instance's head and foot.
enum WholePage: SubscribePlace {
  static let template = "subscribe"
  static let policy = ContentPolicy.plain
  static let isFramable = false
}

/// In a frame of the account's own site.
enum FramedPage: SubscribePlace {
  static let template = "subscribe-frame"
  static let policy = ContentPolicy.framed
  static let isFramable = true
}

/// The form by which strangers subscribe to a public group: 200, 422 after what can't be right, 429 after too much.
struct SubscribePage<Place: SubscribePlace>: PublicPage {
  /// How far the visitor has come.
  enum State: Sendable, Equatable {
    /// The form, with what was filled in and what is wrong with it, by field.
    case form(SubscribeEntries = SubscribeEntries(), problems: [String: String] = [:])
    /// A mail is on its way, if it can be.
    case done(email: String)
    /// Nothing is taken for so many seconds.
    case throttled(retryAfterSeconds: Int)
  }

  /// Where the form is posted.
  let action: String
  /// When the form was shown, signed.
  let stamp: String
  let groupName: String
  let groupDescription: String?
  let accountName: String
  let email: String
  let firstName: String
  let lastName: String
  let emailProblem: String?
  let firstNameProblem: String?
  let lastNameProblem: String?
  /// What is wrong with the form as a whole.
  let formProblem: String?
  let isForm: Bool
  let isDone: Bool
  let isThrottled: Bool
  let wait: String?
  let retryAfterSeconds: Int?
  let hasProblems: Bool

  /// The page of `group` in one state.
  init(group: PublicGroup, action: String, stamp: String, state: State) {
    self.action = action
    self.stamp = stamp
    groupName = group.name
    groupDescription = group.description.flatMap { $0.isEmpty ? nil : $0 }
    accountName = group.accountName
    var entries = SubscribeEntries()
    var problems: [String: String] = [:]
    var seconds: Int?
    var isForm = false
    var isDone = false
    switch state {
    case .form(let filled, let wrong): (entries, problems, isForm) = (filled, wrong, true)
    case .done(let address): (entries.email, isDone) = (address, true)
    case .throttled(let wait): seconds = max(1, wait)
    }
    (self.isForm, self.isDone, isThrottled) = (isForm, isDone, seconds != nil)
    retryAfterSeconds = seconds
    wait = seconds.map(Wait.words(forSeconds:))
    (email, firstName, lastName) = (entries.email, entries.firstName, entries.lastName)
    emailProblem = problems["email"]
    firstNameProblem = problems["firstName"]
    lastNameProblem = problems["lastName"]
    formProblem = problems["stamp"]
    hasProblems = !problems.isEmpty
  }

  static var template: String { Place.template }
  static var policy: ContentPolicy { Place.policy }
  static var isFramable: Bool { Place.isFramable }
  var status: Int { isThrottled ? 429 : hasProblems ? 422 : 200 }
  static var specimen: SubscribePage {
    SubscribePage(
      group: PublicGroup(
        id: ContactGroupID(at: .now), account: AccountID(at: .now), name: "News of the bakery",
        description: "Once a month.", accountName: "Anna's Bakery"),
      action: "/m/subscribe/1", stamp: "1.x",
      state: .form(SubscribeEntries(email: "anna@"), problems: ["email": "Please check the address."]))
  }
}

/// What a visitor has typed, shown again where something of it is wrong.
struct SubscribeEntries: Sendable, Equatable {
  var email = ""
  var firstName = ""
  var lastName = ""
}

/// The page that the mail with the question leads to.
struct ConfirmPage: PublicPage {
  /// How far the visitor has come.
  enum State: Sendable, Equatable {
    /// The button is to be pressed.
    case asking
    /// It was.
    case done
  }

  /// Where the button leads; the token is in it.
  let action: String
  let groupName: String
  let accountName: String
  let email: String
  let isAsking: Bool
  let isDone: Bool
  let isInvalid: Bool
  let hasBounced: Bool

  /// The page about `confirmation`; nil for a token that does not hold (any more): 410.
  init(action: String, confirmation: Confirmation?, state: State) {
    self.action = action
    groupName = confirmation?.groupName ?? ""
    accountName = confirmation?.accountName ?? ""
    email = confirmation?.email ?? ""
    isInvalid = confirmation == nil
    hasBounced = confirmation?.hasBounced ?? false
    isAsking = !isInvalid && state == .asking
    isDone = !isInvalid && state == .done
  }

  static let template = "confirm"
  var status: Int { isInvalid ? 410 : 200 }
  static var specimen: ConfirmPage {
    ConfirmPage(
      action: "/m/confirm/t",
      confirmation: Confirmation(
        account: AccountID(at: .now), group: ContactGroupID(at: .now), contact: ContactID(at: .now),
        accountName: "Anna's Bakery", groupName: "News of the bakery", email: "otto@example.org"),
      state: .asking)
  }
}
