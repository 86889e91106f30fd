/** Fragments that Bootwright brings: `fragments/NAME.config` of the package. */
export const FRAGMENT_NAMES = ["debug", "efi-installer", "microvm", "virtio", "zero-os"] as const;

export type FragmentName = (typeof FRAGMENT_NAMES)[number];

export const isFragmentName = (text: string): text is FragmentName =>
  (FRAGMENT_NAMES as readonly string[]).includes(text);
