/** The actions that workflows use, each by the commit of a release: a tag may be moved, a commit cannot. */
export interface PinnedAction {
  /** OWNER/NAME@COMMIT. */
  readonly uses: string;
  /** The release that the commit is, for people and for tools that propose newer ones. */
  readonly version: string;
}

export const ACTIONS = {
  checkout: { uses: "actions/checkout@08c6903cd8c0fde910a37f88322edcfb5dd907a8", version: "v5.0.0" },
  setupNode: { uses: "actions/setup-node@2028fbc5c25fe9cf00d9f06a71cc4710d4507903", version: "v6.0.0" },
  cache: { uses: "actions/cache@0057852bfaa89a56745cba8c7296529d2fc39830", version: "v4.3.0" },
  uploadArtifact: { uses: "actions/upload-artifact@ea165f8d65b6e75b540449e92b4886f43607fa02", version: "v4.6.2" },
} as const satisfies Record<string, PinnedAction>;
