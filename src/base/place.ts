/**
 * Where published files lie: a directory, a prefix of a bucket, a repository of a registry. Reading needs `read` only;
 * publishing needs all. What is published is named so that three kinds of write suffice: files named by their digest or
 * version, documents that are made once and never changed, and small files that are replaced.
 * See docs/decisions/0013-catalogs.md.
 */
export interface ReadablePlace {
  /** For people: an address or a directory. */
  readonly address: string;
  /** A small file, or undefined when there is none. Throws LIMIT_EXCEEDED over `maxSize` bytes, NETWORK, HTTP_STATUS, IO. */
  read(path: string, options: { readonly maxSize: number; readonly signal: AbortSignal }): Promise<Buffer | undefined>;
}

export interface PlacedFile {
  readonly size: number;
  /** Hex; undefined where the place does not tell, and checks what it is given. */
  sha256(): Promise<string | undefined>;
}

export interface SweptFile {
  /** Below the place. */
  readonly path: string;
  readonly size: number;
  /** Milliseconds since the epoch, by the place's own clock. */
  readonly modified: number;
  /** Of a write that has not ended: nobody but its writer looks for it. */
  readonly temporary: boolean;
}

/** A place that tells what lies there, and since when: what dead publishers left can be found there. */
export interface SweptPlace extends Place {
  /** By the clock that `modified` is told by. */
  now(): Promise<number>;
  /** Files of the place itself and in these folders, temporary ones, and what was set aside. */
  list(folders: readonly string[]): AsyncIterable<SweptFile>;
  /** Undefined when it is not there. */
  modified(path: string): Promise<number | undefined>;
  /** False when there is nothing; what was under the new name is replaced. It counts as written now. */
  move(from: string, to: string): Promise<boolean>;
  /** Ends uploads that nobody has gone on with since `before`; gives what was to be uploaded. */
  endUploads(options: {
    readonly before: number;
    readonly isOurs: (path: string) => boolean;
    readonly dryRun: boolean;
  }): Promise<readonly string[]>;
}

export interface Place extends ReadablePlace {
  /** Puts a file whose name says its content; what is there already stays, and counts as put now. */
  putFile(path: string, file: { readonly local: string; readonly size: number }): Promise<void>;
  /** Makes a file that must not be there: false when another publisher was first. Whole, or not at all. */
  create(path: string, bytes: Uint8Array): Promise<boolean>;
  /** Replaces a file: a reader sees the old or the new bytes. */
  replace(path: string, bytes: Uint8Array): Promise<void>;
  /** What is there, or undefined. */
  stat(path: string): Promise<PlacedFile | undefined>;
  /** Gives the file `from` a further name, also one that meant another: a reader sees the old or the new file, whole. */
  link(path: string, from: string): Promise<void>;
  /** What is not there is no error; false where the place removes nothing. */
  remove(path: string): Promise<boolean>;
}
