/** Names beside published files that Bootwright writes itself. */
export const VIEW_NAMES =
  /^(published|files|current|SHA256SUMS(\.minisig)?|index\.html|kernels\.(txt|json)|claim-.*|published-.*)$/;

/** In a release: the document that says what its files are. */
export const RELEASE_STATE = "published.json";
