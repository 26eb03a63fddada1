/// Comma-separated values (RFC 4180), as spreadsheets and address books really write them.
public enum CSV {
  /// What the bytes of a file mean.
  public struct Format: Sendable, Equatable {
    /// The byte between two cells: a comma, a semicolon or a tab.
    public var delimiter: UInt8
    /// How characters are written.
    public var encoding: TextEncoding

    /// A format.
    public init(delimiter: UInt8 = UInt8(ascii: ","), encoding: TextEncoding = .utf8) {
      self.delimiter = delimiter
      self.encoding = encoding
    }

    /// What may be between cells.
    public static let delimiters = [UInt8(ascii: ","), UInt8(ascii: ";"), UInt8(ascii: "\t")]
  }

  /// One row.
  public struct Row: Sendable, Equatable {
    /// The cells, without their quotes.
    public let cells: [String]
    /// The line in which it begins, from 1.
    public let line: Int
    /// Where the next row begins.
    public let next: FilePlace
  }

  /// Why a row could not be read.
  public enum Flaw: String, Sendable {
    /// A quote has no end, or the cell goes on behind it.
    case brokenQuote = "broken_quote"
    /// A cell has more than 64 KiB.
    case cellTooLong = "cell_too_long"
    /// A row has more than 1 MiB.
    case rowTooLong = "row_too_long"
    /// A row has more than 500 cells.
    case tooManyColumns = "too_many_columns"

    /// What is wrong, for a person.
    public var message: String {
      switch self {
      case .brokenQuote: "A quote (\") is not closed, or the cell goes on behind it."
      case .cellTooLong: "A cell may have at most \(mostCellBytes) bytes."
      case .rowTooLong: "A row may have at most \(mostRowBytes) bytes."
      case .tooManyColumns: "A row may have at most \(mostColumns) cells."
      }
    }
  }

  /// A row that could not be read.
  public struct Fault: Sendable, Equatable {
    /// Why.
    public let flaw: Flaw
    /// The line in which it begins, from 1.
    public let line: Int
    /// Where reading goes on.
    public let next: FilePlace
  }

  /// What comes out of a file.
  public enum Event: Sendable, Equatable {
    /// A row.
    case row(Row)
    /// A row that could not be read; others go on.
    case fault(Fault)

    /// Where reading goes on.
    public var next: FilePlace {
      switch self {
      case .row(let row): row.next
      case .fault(let fault): fault.next
      }
    }
  }

  /// The most bytes of a cell, in UTF-8.
  public static let mostCellBytes = 65_536
  /// The most bytes of a row, in UTF-8.
  public static let mostRowBytes = 1_048_576
  /// The most cells of a row.
  public static let mostColumns = 500
}
