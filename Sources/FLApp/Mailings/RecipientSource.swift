import FLMariaDB
import FLValues

/// A group or a tag whose contacts a mailing goes to.
enum RecipientSource: Hashable {
  case group(ContactGroupID)
  case tag(TagID)

  var kind: String {
    switch self {
    case .group: "group"
    case .tag: "tag"
    }
  }

  var bytes: [UInt8] {
    switch self {
    case .group(let id): id.bytes
    case .tag(let id): id.bytes
    }
  }

  var table: SQL {
    switch self {
    case .group: "contact_group_members"
    case .tag: "contact_tags"
    }
  }

  /// What picks its rows.
  var condition: SQL {
    switch self {
    case .group(let id): "group_id = \(id)"
    case .tag(let id): "tag_id = \(id)"
    }
  }

  /// Whether a row of it, `s`, makes a recipient: who has not confirmed gets nothing.
  var counts: SQL {
    switch self {
    case .group: "s.status = 'confirmed'"
    case .tag: "TRUE"
    }
  }
}
