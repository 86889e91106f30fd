import { expect, test } from "vitest";
import { digestOf } from "../base/digest.ts";
import { encodeKey, presignUrl, signRequest } from "./signature.ts";

/** The examples of "Signature Calculations for the Authorization Header" and "Authenticating Requests: Using Query Parameters". */
const OPTIONS = {
  credentials: {
    accessKey: "AKIAIOSFODNN7EXAMPLE",
    secretKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    from: "the reference",
  },
  region: "us-east-1",
  now: Date.UTC(2013, 4, 24),
};
const HOST = "https://examplebucket.s3.amazonaws.com";

test.each([
  {
    request: { method: "GET", address: `${HOST}/test.txt`, query: {}, headers: { range: "bytes=0-9" } },
    payload: "",
    signature: "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
  },
  {
    request: {
      method: "PUT",
      address: `${HOST}/${encodeKey("test$file.text")}`,
      query: {},
      headers: { date: "Fri, 24 May 2013 00:00:00 GMT", "x-amz-storage-class": "REDUCED_REDUNDANCY" },
    },
    payload: "Welcome to Amazon S3.",
    signature: "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
  },
  {
    request: { method: "GET", address: `${HOST}/`, query: { lifecycle: "" }, headers: {} },
    payload: "",
    signature: "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
  },
  {
    request: { method: "GET", address: `${HOST}/`, query: { prefix: "J", "max-keys": "2" }, headers: {} },
    payload: "",
    signature: "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
  },
])("the reference's example: $request.method $request.address", ({ request, payload, signature }) => {
  const { headers } = signRequest(request, { ...OPTIONS, payload: digestOf(payload).hash });
  expect(headers.authorization).toMatch(new RegExp(`Signature=${signature}$`));
});

test("the reference's example of an address that is signed", () => {
  const url = presignUrl(
    { method: "GET", address: `${HOST}/test.txt`, query: {}, headers: {} },
    { ...OPTIONS, seconds: 86_400 },
  );
  expect(url).toMatch(/X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404(&|$)/);
});
