/** "vmlinuz-6.12.48.efi" → ".efi", "root.tar.zst" → ".tar.zst", "app.oci.tar" → ".oci.tar"; "" where there is none. */
export const endingOf = (fileName: string): string =>
  /(\.oci(?=\.tar$)|\.tar)?\.[A-Za-z][A-Za-z0-9]*$/.exec(fileName)?.[0] ?? "";
