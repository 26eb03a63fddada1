import FLValues
import Testing

@testable import FLHTTP

private enum Kind: String, CaseIterable { case home, work }

private struct Phone: Equatable {
  var kind: Kind
  var number: String

  static let shape = Shape<Phone>(
    Phone.init(kind:number:), Field("kind", \.kind, .oneOf(Kind.self)),
    Field("number", \.number, .text(3...10))
  ).named("Phone")
}

private struct Person: Equatable {
  var name: String
  var note: String?
  var age: Int
  var phones: [Phone]
  var isPublic: Bool
  var extra: [String: String]

  static let shape = Shape<Person>(
    Person.init(name:note:age:phones:isPublic:extra:), Field("name", \.name, .text(1...20)),
    Field("note", \.note, .optional(.text(0...30, lines: true))), Field("age", \.age, .integer(0...150)),
    Field("phones", \.phones, .list(of: Phone.shape, atMost: 3).defaulting(to: [])),
    Field("isPublic", \.isPublic, .bool.defaulting(to: true)),
    Field("extra", \.extra, .dictionary(of: .text(0...5), atMost: 2).defaulting(to: [:])))
}

private struct Patch {
  var name: String?
  var note: Change<String>

  static let shape = Shape<Patch>(
    Patch.init(name:note:), Field("name", \.name, .maybe(.text(1...20))),
    Field("note", \.note, .change(.text(1...30))))
}

extension Shape {
  /// The value that JSON text is read as; nil where it is refused.
  fileprivate func taken(_ text: String) -> Value? {
    (try? JSON(reading: Array(text.utf8))).flatMap { try? read($0) }
  }

  /// What is told against JSON text: `field code`.
  fileprivate func problems(_ text: String) throws -> [String] {
    let json = try JSON(reading: Array(text.utf8))
    do throws(Problem) {
      _ = try read(json)
      return []
    } catch {
      #expect(error.status == 422)
      return error.errors.map { "\($0.field) \($0.code)" }
    }
  }
}

struct ShapeTests {
  @Test func readsWithDefaultsAndWritesBack() throws {
    let person = try #require(Person.shape.taken(#"{"age":41.0,"name":" Ann\u00a0"}"#))
    #expect(person == Person(name: "Ann", note: nil, age: 41, phones: [], isPublic: true, extra: [:]))
    var other = person
    other.phones = [Phone(kind: .work, number: "123")]
    other.extra = ["b": "2", "a": "1"]
    let text = String(decoding: Person.shape.bytes(other), as: UTF8.self)
    #expect(
      text
        == #"{"name":"Ann","note":null,"age":41,"phones":[{"kind":"work","number":"123"}],"isPublic":true,"#
        + #""extra":{"a":"1","b":"2"}}"#)
    #expect(Person.shape.taken(text) == other)
  }

  @Test func tellsEveryProblemWithItsField() throws {
    let text = #"""
      {"name": "", "note": 7, "age": 151, "isPublic": null, "surname": "x", "extra": {"a": "123456", "b": 1},
       "phones": [{"kind": "home", "number": "1234"}, "no", {"kind": "pub", "number": "1", "ext": 5}]}
      """#
    #expect(
      Set(try Person.shape.problems(text)) == [
        "surname unknown_field", "name too_short", "note invalid_type", "age out_of_range",
        "isPublic invalid_type",
        "extra.a too_long", "extra.b invalid_type", "phones[1] invalid_type", "phones[2].ext unknown_field",
        "phones[2].kind invalid_choice", "phones[2].number too_short",
      ])
    #expect(try Person.shape.problems("{}") == ["name required", "age required"])
    for text in ["[]", "null", "1", "\"{}\"", "true"] {
      #expect(try Person.shape.problems(text) == ["body invalid_type"])
    }
  }

  @Test func anUnknownMemberAloneHasACodeOfItsOwn() throws {
    func code(_ json: JSON) -> String? {
      do throws(Problem) {
        _ = try Person.shape.read(json)
        return nil
      } catch {
        return error.code
      }
    }
    #expect(code(["name": "Ann", "age": 1, "Age": 1]) == "unknown_field")
    #expect(code(["name": "Ann", "age": -1, "Age": 1]) == "invalid")
  }

  @Test func aRefusalWithoutAWordIsInvalidAllTheSame() {
    let silent = Shape<Int>(schema: Schema([:]), read: { _, _ in nil }, write: { $1.integer($0) })
    #expect(throws: Problem(422, "invalid", "The request has fields that are wrong.")) { try silent.read(1) }
  }

  @Test func theProblemsToldAreBounded() throws {
    var object: JSONObject = ["name": "Ann", "age": 1]
    for index in 0..<5000 { object.append("x\(index)", 0) }
    do throws(Problem) {
      _ = try Person.shape.read(.object(object))
      Issue.record("5000 unknown members were taken")
    } catch {
      #expect(error.errors.count == Reading.mostProblems)
    }
  }

  @Test func nullIsNotAbsence() throws {
    #expect(Person.shape.taken(#"{"name":"Ann","age":1,"note":null}"#)?.note == .some(nil))
    let nothing = try #require(Patch.shape.taken("{}"))
    #expect(nothing.name == nil && nothing.note == .keep)
    let cleared = try #require(Patch.shape.taken(#"{"note":null}"#))
    #expect(cleared.note == .clear)
    let set = try #require(Patch.shape.taken(#"{"name":"Bob","note":"n"}"#))
    #expect(set.name == "Bob" && set.note == .set("n"))
    #expect(try Patch.shape.problems(#"{"name":null,"note":""}"#) == ["name invalid_type", "note too_short"])
    #expect(Change.keep.applied(to: 1) == 1)
    #expect(Change.clear.applied(to: 1) == nil)
    #expect(Change.set(2).applied(to: 1) == 2)
  }

  @Test func listsAndDictionariesHaveBounds() throws {
    let list = Shape.list(of: .integer(0...9), atMost: 3, atLeast: 1)
    #expect(list.taken("[1,2.0,3]") == [1, 2, 3])
    #expect(try list.problems("[]") == ["body too_short"])
    #expect(try list.problems("[1,2,3,4]") == ["body too_long"])
    #expect(
      try list.problems("[10,null,1.5]") == [
        "[0] out_of_range", "[1] invalid_type", "[2] invalid_type",
      ])
    #expect(try list.problems("{}") == ["body invalid_type"])
    let names = Shape<[String: String?]>.dictionary(of: .optional(.text(1...5)), atMost: 2)
    #expect(names.taken(#"{"a":null,"b":"x"}"#) == ["a": nil, "b": "x"])
    #expect(try names.problems(#"{"a":"1","b":"2","c":"3"}"#) == ["body too_long"])
    #expect(try names.problems("[]") == ["body invalid_type"])
  }

  @Test func textIsTrimmedAndHasNoControlCharacters() throws {
    let text = Shape<String>.text(1...5)
    #expect(text.taken(#"" \u00a0 a b\u3000""#) == "a b")
    #expect(text.taken(#""😀é👍🏽x""#) == "😀é👍🏽x")
    #expect(try text.problems(#""123456""#) == ["body too_long"])
    #expect(text.taken(#"" 12345   ""#) == "12345")
    #expect(try text.problems(#"" \u2003 ""#) == ["body too_short"])
    for character in ["\\u0000", "\\n", "\\t", "\\u001b", "\\u007f"] {
      #expect(try text.problems("\"a\(character)\"") == ["body control_character"])
    }
    let lines = Shape<String>.text(0...20, lines: true)
    #expect(lines.taken(#""a\r\n\tb\n""#) == "a\r\n\tb")
    #expect(lines.taken(#""  ""#) == "")
    for character in ["\\u0000", "\\u000b", "\\u001b", "\\u007f"] {
      #expect(try lines.problems("\"a\(character)\"") == ["body control_character"])
    }
    let even = text.satisfying("odd") { $0.utf8.count % 2 == 0 ? nil : "This must be even." }
    #expect(even.taken(#""ab""#) == "ab")
    #expect(try even.problems(#""abc""#) == ["body odd"])
    #expect(try even.problems(#""""#) == ["body too_short"])
  }

  @Test func numbersAreWhole() throws {
    let number = Shape<Int>.integer(-5...Int.max)
    #expect(number.taken("1.0") == 1)
    #expect(number.taken("1e2") == 100)
    #expect(number.taken("-0.0") == 0)
    #expect(number.taken("9223372036854775807") == .max)
    for text in ["1.5", "\"1\"", "true", "null", "1e300", "9223372036854775808", "[]"] {
      #expect(try number.problems(text) == ["body invalid_type"], "\(text)")
    }
    #expect(try number.problems("-6") == ["body out_of_range"])
  }

  @Test func timesAndIdentifiers() throws {
    #expect(Shape.timestamp.taken(#""2026-11-22T09:27:00.75+01:00""#)?.description == "2026-11-22T08:27:00Z")
    for text in [
      "2026-11-22", "2026-13-22T08:27:00Z", "2026-02-29T08:27:00Z", "", "now", "2026-11-22T08:27:00",
    ] {
      #expect(try Shape.timestamp.problems("\"\(text)\"") == ["body invalid_time"])
    }
    #expect(try Shape.timestamp.problems("1700000000") == ["body invalid_type"])
    let id = Shape<ID<Person>>.id()
    let text = "019b3c5e-7a3f-7cc2-8d1e-3f6a2b9c4d5e"
    let read = try #require(id.taken("\"\(text)\""))
    #expect(id.bytes(read) == Array("\"\(text)\"".utf8))
    #expect(try id.problems("\"\(text)0\"") == ["body invalid_id"])
    #expect(try id.problems("7") == ["body invalid_type"])
  }

  @Test func outputsAreNotRead() throws {
    let shape = Shape<Phone>.output(
      "PhoneOut", [.init("number", \.number, .string), .init("kind", \.kind, .oneOf(Kind.self))])
    #expect(
      shape.bytes(Phone(kind: .home, number: "\"1\"")) == Array(#"{"number":"\"1\"","kind":"home"}"#.utf8))
    #expect(try shape.problems("{}") == ["body read_only"])
  }

  @Test func theSchemaSaysWhatIsTaken() {
    let schema = Person.shape.schema
    #expect(schema.json["required"] == ["name", "age"])
    #expect(schema.json["additionalProperties"] == false)
    let properties = schema.json["properties"]
    #expect(
      properties?.object?.members.map(\.name) == ["name", "note", "age", "phones", "isPublic", "extra"])
    #expect(properties?["name"]?["minLength"] == 1 && properties?["name"]?["maxLength"] == 20)
    #expect(properties?["note"]?["type"] == ["string", "null"])
    #expect(properties?["age"] == ["type": "integer", "minimum": 0, "maximum": 150])
    #expect(properties?["phones"]?["items"] == ["$ref": "#/components/schemas/Phone"])
    #expect(properties?["phones"]?["maxItems"] == 3 && properties?["phones"]?["default"] == [])
    #expect(properties?["isPublic"] == ["type": "boolean", "default": true])
    #expect(properties?["extra"]?["maxProperties"] == 2)
    #expect(schema.named["Phone"]?["properties"]?["kind"]?["enum"] == ["home", "work"])

    let patch = Patch.shape.schema.json
    #expect(patch["required"] == nil)
    #expect(patch["properties"]?["name"]?["type"] == "string")
    #expect(patch["properties"]?["note"]?["type"] == ["string", "null"])
    #expect(
      Shape.optional(Phone.shape).schema.json == [
        "anyOf": [["$ref": "#/components/schemas/Phone"], ["type": "null"]]
      ])
    #expect(Shape<Kind?>.optional(.oneOf(Kind.self)).schema.json["enum"] == ["home", "work", .null])
    #expect(Shape<String>.string.described("A name.", example: "Ann").schema.json["examples"] == ["Ann"])
  }

  /// The patterns are what a client's validator goes by.
  @Test(arguments: [false, true]) func thePatternOfATextAgreesWithWhatIsTaken(lines: Bool) throws {
    let shape = Shape<String>.text(1...9, lines: lines)
    let pattern = try Regex(#require(shape.schema.json["pattern"]?.string)).matchingSemantics(.unicodeScalar)
    for text in [
      "a", " a", "a b", " ", "", "a\nb", "\n", "a\u{0}", "\u{7F}", "é", "a\u{1B}b", "\t x", "a\u{B}",
    ] {
      let isTaken = (try? shape.read(.string(text))) != nil
      #expect((text.wholeMatch(of: pattern) != nil) == isTaken, "\(text.debugDescription)")
    }
  }
}
