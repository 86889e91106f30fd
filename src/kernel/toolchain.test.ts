import { expect, it } from "vitest";
import { buildEnvironment, toolchain } from "./toolchain.ts";

const GCC = { compiler: "gcc", rust: false } as const;

it.each([
  ["x86_64", "x86_64", ["ARCH=x86_64"], "arch/x86/boot/bzImage"],
  ["x86_64", "aarch64", ["ARCH=x86_64", "CROSS_COMPILE=x86_64-linux-gnu-"], "arch/x86/boot/bzImage"],
  ["aarch64", "x86_64", ["ARCH=arm64", "CROSS_COMPILE=aarch64-linux-gnu-"], "arch/arm64/boot/Image"],
  ["aarch64", "aarch64", ["ARCH=arm64"], "arch/arm64/boot/Image"],
] as const)("a kernel for %s, built on %s", (arch, host, make, imagePath) => {
  const chain = toolchain({ arch, host, ...GCC });
  expect(chain).toMatchObject({ make, imagePath });
  expect(chain.packages.filter((name) => /^gcc-/.test(name))).toHaveLength(arch === host ? 0 : 1);
});

it("LLVM compiles for every architecture by itself, and without gcc", () => {
  const chain = toolchain({ arch: "aarch64", host: "x86_64", compiler: "llvm", rust: false });
  expect(chain).toMatchObject({ make: ["ARCH=arm64", "LLVM=1"], compilers: ["clang"], hostCompiler: "clang" });
  expect(chain.packages.filter((name) => /gcc|clang|lld|llvm/.test(name))).toEqual(["clang", "lld", "llvm"]);
});

it("Rust's compiler is only where it was asked for, so that no config can take it by itself", () => {
  const packages = (rust: boolean) => toolchain({ arch: "x86_64", host: "x86_64", compiler: "gcc", rust }).packages;
  expect(packages(false)).not.toContain("rustc");
  expect(packages(true)).toEqual(expect.arrayContaining(["bindgen", "gcc", "rust-src", "rustc"]));
});

it("the time of a build is the project's, as date prints it", () => {
  const chain = toolchain({ arch: "x86_64", host: "x86_64", ...GCC });
  expect(buildEnvironment(1_700_000_000, chain)).toMatchObject({
    KBUILD_BUILD_HOST: "bootwright",
    KBUILD_BUILD_TIMESTAMP: "Tue Nov 14 22:13:20 UTC 2023",
    SOURCE_DATE_EPOCH: "1700000000",
  });
});

it("a kernel that the host's own tools built says so", () => {
  const chain = { ...toolchain({ arch: "x86_64", host: "x86_64", ...GCC }), hostPaths: ["/usr"] };
  expect(buildEnvironment(0, chain)).toMatchObject({ KBUILD_BUILD_HOST: "host-tools" });
});
