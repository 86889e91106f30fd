/** Names of buckets that every store takes ("General purpose bucket naming rules" of the S3 user guide). */
export const BUCKET_NAME = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;
