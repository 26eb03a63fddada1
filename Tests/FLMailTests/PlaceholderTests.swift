import Testing

@testable import FLMail
