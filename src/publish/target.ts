/** Where publications go, behind one port: a directory, a bucket, a registry. */
import type { Place } from "../base/place.ts";
import type { PublishedFile, RetiredFile } from "./state.ts";

/** A file to publish, with the names that it gets. */
export interface NewFile extends Omit<PublishedFile, "digest" | "published"> {
  readonly local: string;
  /** Names that move to it. */
  readonly moving: readonly string[];
}

export interface PublishTarget {
  /** Holds the state's documents, and lists where `lists` says so. */
  readonly documents: Place;
  /** A directory of files: lists of them lie beside them. A registry has tags instead. */
  readonly lists: boolean;
  /** What the file is kept under; nothing is asked or written. */
  digestOf(file: NewFile): string;
  /** The name that `moving` becomes for a file. */
  movingName(moving: string, file: Pick<NewFile, "publication" | "name">): string;
  /** All names that mean the file for ever. */
  namesOf(file: Pick<PublishedFile, "name" | "immutable">): readonly string[];
  /** True when something else, that was not published here, has the name. */
  isTaken(name: string, file: PublishedFile): Promise<boolean>;
  /** Brings the bytes to where their digest names them, and checks what arrived. */
  put(file: NewFile): Promise<void>;
  /** True when its bytes are there. */
  holds(file: PublishedFile): Promise<boolean>;
  /** Gives a file that was put a name: a reader sees what the name meant before, or the whole file. */
  link(name: string, file: PublishedFile, options: { readonly moves: boolean }): Promise<void>;
  /**
   * Takes a file and its names away; false when that is not possible here, or something else that is published has its digest, which
   * `isListed` tells.
   */
  remove(file: RetiredFile, options: { readonly isListed: () => Promise<boolean> }): Promise<boolean>;
}
