extension HTTPClient {
  /// Whether libcurl is there, without which nothing can be fetched or sent.
  public static var isAvailable: Bool { CurlHandle() != nil }
}
