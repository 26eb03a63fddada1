import FLHTTP

/// What an account pastes into its own site to let people subscribe to a group.
struct EmbedForm: Sendable {
  /// Where the form leads.
  let url: String
  /// A form of plain HTML; it takes the looks of the site.
  let html: String
  /// A frame with the instance's own form.
  let iframe: String
  /// Whether the group takes subscriptions; if not, both lead to a page that says 404.
  let isPublic: Bool

  init(_ group: ContactGroup, baseURL: String) {
    let url = "\(baseURL)/m/subscribe/\(group.id)"
    let name = HTMLText().escapeText(group.name)
    self.url = url
    isPublic = group.isPublic
    // The field that people leave empty is moved away by its own style; where a site forbids such styles, its label says
    // what to do.
    html = """
      <form action="\(url)" method="post" accept-charset="utf-8" aria-label="Subscribe to \(name)">
        <p><label>E-mail<br><input type="email" name="email" maxlength="254" autocomplete="email" required></label></p>
        <p><label>First name<br><input type="text" name="firstName" maxlength="100" autocomplete="given-name"></label></p>
        <p><label>Last name<br><input type="text" name="lastName" maxlength="100" autocomplete="family-name"></label></p>
        <p aria-hidden="true" style="position: absolute; left: -200vw"><label>Leave this empty
          <input type="text" name="\(Subscription.trap)" tabindex="-1" autocomplete="off"></label></p>
        <p><button type="submit">Subscribe</button></p>
      </form>
      """
    iframe = """
      <iframe src="\(url)?embed=1" title="Subscribe to \(name)" width="100%" height="520" loading="lazy" \
      style="border: 0"></iframe>
      """
  }

  static let shape = Shape<EmbedForm>.output(
    "EmbedForm",
    [
      .init("url", \.url, Shape<String>.string.described("The page to subscribe at.")),
      .init(
        "html", \.html, Shape<String>.string.described("A form to paste into a page; it needs no script.")),
      .init("iframe", \.iframe, Shape<String>.string.described("A frame to paste into a page.")),
      .init(
        "isPublic", \.isPublic,
        Shape<Bool>.bool.described("Whether the group takes subscriptions; else both lead to a 404.")),
    ])
}
