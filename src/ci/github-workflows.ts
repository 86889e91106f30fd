/** The workflows of a project: build and test, release on a version's tag, promotion by hand. */
import { ACTIONS, type PinnedAction } from "./actions.ts";
import type { Job, Step, Workflow } from "./workflow.ts";

export const ROLES = ["builder", "kernel", "iso", "all"] as const;
export type Role = (typeof ROLES)[number];

/** What workflows depend on, of a project and of its repository. */
export interface CiFacts {
  /** builder: container images. kernel: kernels, which compile for hours. iso: media, which are booted. */
  readonly role: Role;
  /** A label of hosted runners ("ubuntu-24.04"), or labels of own ones: "self-hosted,kvm". */
  readonly runner: string;
  /** Image that jobs run in, by digest; it has Bootwright. Without one, npm installs it from the project's lock. */
  readonly container: string | undefined;
  /** The branch that is built on each push. */
  readonly branch: string;
  /** Where the project is in its repository; "" at the top. */
  readonly directory: string;
  /** What the project is made of, below its directory: files, and directories with `/**`. */
  readonly paths: readonly string[];
  readonly hasBootTests: boolean;
  /** Where the project publishes to: addresses. Empty: nothing is released. */
  readonly targets: readonly string[];
  /** In the order in which releases go through them. */
  readonly environments: readonly string[];
}

/** By the file's name below `.github/workflows`. */
export function githubWorkflows(facts: CiFacts): Readonly<Record<string, Workflow>> {
  return {
    "bootwright-build.yml": buildWorkflow(facts),
    ...(facts.targets.length > 0 && { "bootwright-release.yml": releaseWorkflow(facts) }),
    ...(facts.environments.length > 0 && { "bootwright-promote.yml": promoteWorkflow(facts) }),
  };
}

/** Minutes. */
const TIMEOUTS: Readonly<Record<Role, number>> = { builder: 60, kernel: 240, iso: 120, all: 240 };

function buildWorkflow(facts: CiFacts): Workflow {
  const { role, paths, directory, branch, hasBootTests } = facts;
  const filter = [...paths.map((one) => below(directory, one)), ".github/workflows/bootwright-*.yml"];
  const tests = hasBootTests && role !== "builder";
  return {
    name: "build",
    on: { push: { branches: [branch], paths: filter }, pull_request: { paths: filter } },
    ...common(facts, { group: "build-${{ github.ref }}", cancel: true }),
    jobs: {
      plan: {
        ...job(facts, { name: "plan", minutes: 15 }),
        outputs: { images: "${{ steps.plan.outputs.images }}" },
        steps: [
          ...project(facts),
          { name: "The files here are those that the config means", run: `${program(facts)} ci check` },
          {
            name: "Which images there are",
            id: "plan",
            run: `images=$(${listImages(facts)})\necho "images=$images" >>"$GITHUB_OUTPUT"\n`,
          },
        ],
      },
      build: {
        ...job(facts, { name: "build ${{ matrix.image }}", needs: "plan" }),
        strategy: { "fail-fast": false, matrix: { image: "${{ fromJSON(needs.plan.outputs.images) }}" } },
        steps: [
          ...project(facts),
          ...machine(facts),
          ...storeCache(facts, "${{ matrix.image }}"),
          { name: "Build", env: { IMAGE: "${{ matrix.image }}" }, run: `${program(facts)} build "$IMAGE" --frozen` },
        ],
      },
      ...(tests && {
        test: {
          ...job(facts, { name: "boot tests", needs: "build" }),
          steps: [
            ...project(facts),
            ...machine(facts, { kvm: true }),
            ...storeCache(facts, "all"),
            { name: "Boot and test", run: `${program(facts)} test --frozen --reporter junit` },
            {
              name: "Keep what the tests saw",
              if: "failure()",
              ...action(ACTIONS.uploadArtifact, { name: "test-results", path: below(directory, "test-results") }),
            },
          ],
        },
      }),
    },
  };
}

/** On the pipe of `plan --json`, with the Node that is there. */
const listImages = (facts: CiFacts): string =>
  `${program(facts)} plan --json | node -p 'JSON.stringify(JSON.parse(require("fs").readFileSync(0, "utf8")).images.map((one) => one.name))'`;

function releaseWorkflow(facts: CiFacts): Workflow {
  const { targets } = facts;
  const registries = [...new Set(targets.flatMap((one) => /^oci:\/\/([^/]+)/.exec(one)?.[1] ?? []))].sort();
  const permissions = {
    contents: targets.some((one) => one.startsWith("github:")) ? ("write" as const) : ("read" as const),
    ...(registries.includes("ghcr.io") && { packages: "write" as const }),
  };
  return {
    name: "release",
    on: { push: { tags: ["v*.*.*"] } },
    ...common(facts, { group: "release", cancel: false }),
    jobs: {
      publish: {
        ...job(facts, { name: "publish ${{ github.ref_name }}" }),
        permissions,
        steps: [
          ...project(facts),
          ...machine(facts),
          ...storeCache(facts, "all"),
          { name: "Build all of it", run: `${program(facts)} build --frozen` },
          ...registries.map((host) => login(facts, host)),
          { name: "Publish", env: publishEnvironment(targets), run: `${program(facts)} publish --frozen` },
        ],
      },
    },
  };
}

/** Secrets reach the one step that needs them. */
function publishEnvironment(targets: readonly string[]): Readonly<Record<string, string>> {
  return {
    ...(targets.some((one) => one.startsWith("github:")) && { GITHUB_TOKEN: "${{ github.token }}" }),
    ...(targets.some((one) => one.startsWith("s3://")) && {
      AWS_ACCESS_KEY_ID: "${{ secrets.AWS_ACCESS_KEY_ID }}",
      AWS_SECRET_ACCESS_KEY: "${{ secrets.AWS_SECRET_ACCESS_KEY }}",
    }),
  };
}

/** GitHub's own registry takes the run's token; any other has secrets of its own. */
function login(facts: CiFacts, host: string): Step {
  const own = host === "ghcr.io";
  return {
    name: `Log in to ${host}`,
    env: {
      HOST: host,
      ACCOUNT: own ? "${{ github.actor }}" : "${{ secrets.REGISTRY_USERNAME }}",
      PASSWORD: own ? "${{ github.token }}" : "${{ secrets.REGISTRY_PASSWORD }}",
    },
    run: `printf %s "$PASSWORD" | ${program(facts)} oci login "$HOST" --username "$ACCOUNT" --password-stdin`,
  };
}

function promoteWorkflow(facts: CiFacts): Workflow {
  const { environments } = facts;
  return {
    name: "promote",
    on: {
      workflow_dispatch: {
        inputs: {
          release: { description: "Version, such as v0.4.0", type: "string", required: true },
          environment: { description: "Where to", type: "choice", options: [...environments], required: true },
        },
      },
    },
    ...common(facts, { group: "promote", cancel: false }),
    jobs: {
      promote: {
        ...job(facts, { name: "promote to ${{ inputs.environment }}", minutes: 30 }),
        // GitHub's environment of that name says who must agree.
        environment: "${{ inputs.environment }}",
        permissions: { contents: "write" },
        steps: [
          ...project(facts, { push: true }),
          {
            name: "Promote",
            env: { RELEASE: "${{ inputs.release }}", ENVIRONMENT: "${{ inputs.environment }}" },
            run: `${program(facts)} promote "$ENVIRONMENT" "$RELEASE"`,
          },
        ],
      },
    },
  };
}

function common(
  { directory }: CiFacts,
  { group, cancel }: { group: string; cancel: boolean },
): Pick<Workflow, "permissions" | "concurrency" | "defaults"> {
  return {
    permissions: {},
    concurrency: { group, "cancel-in-progress": cancel },
    defaults: { run: { shell: "bash", ...(directory !== "" && { "working-directory": directory }) } },
  };
}

function job(
  { role, runner, container }: CiFacts,
  { name, needs, minutes = TIMEOUTS[role] }: { name: string; needs?: string; minutes?: number },
): Omit<Job, "steps"> {
  const labels = runner.split(",").map((label) => label.trim());
  return {
    name,
    ...(needs !== undefined && { needs }),
    "runs-on": labels.length === 1 ? labels[0]! : labels,
    ...(container !== undefined && { container: { image: container, options: containerOptions(runner) } }),
    "timeout-minutes": minutes,
    permissions: { contents: "read" },
  };
}

/**
 * The files of a job belong to another user than the image's, so it runs as root (as GitHub asks of container jobs). A sandbox
 * needs user namespaces and a /proc of its own. A hosted runner forbids namespaces to all but privileged containers, and is
 * thrown away; on an own one a container gets no more than that.
 */
const containerOptions = (runner: string): string =>
  isOwn(runner)
    ? "--user root --security-opt seccomp=unconfined --security-opt apparmor=unconfined --security-opt systempaths=unconfined"
    : "--user root --privileged";

/** In its image the program is on the path. */
const program = ({ container }: CiFacts): string => (container === undefined ? "npx bootwright" : "bootwright");

/** `push`: the job writes into the repository, so git keeps the run's token. */
function project({ directory, container }: CiFacts, { push = false }: { push?: boolean } = {}): readonly Step[] {
  const lock = below(directory, "package-lock.json");
  const checkout = action(ACTIONS.checkout, { "persist-credentials": push, ...(push && { "fetch-depth": 0 }) });
  if (container !== undefined) return [checkout];
  return [
    checkout,
    action(ACTIONS.setupNode, { "node-version": 24, cache: "npm", "cache-dependency-path": lock }),
    { name: "Install Bootwright", run: "npm ci" },
  ];
}

/** Hosted runners are made for nothing in particular; own ones are made ready once. */
function machine({ runner, container }: CiFacts, { kvm = false }: { kvm?: boolean } = {}): readonly Step[] {
  if (isOwn(runner) || container !== undefined) return [];
  const lines = [
    "sudo sysctl -q -w kernel.apparmor_restrict_unprivileged_userns=0 # the sandbox has its own user",
    ...(kvm ? ["sudo chmod a+rw /dev/kvm # machines of the tests"] : []),
    "npx bootwright doctor --fix",
  ];
  return [{ name: "Make the runner ready", run: `${lines.join("\n")}\n` }];
}

/** An own runner keeps its store by itself. */
function storeCache({ runner, directory, container }: CiFacts, what: string): readonly Step[] {
  if (isOwn(runner)) return [];
  const key = "bootwright-${{ runner.os }}-${{ runner.arch }}-";
  return [
    action(ACTIONS.cache, {
      path: container === undefined ? "~/.cache/bootwright" : "/var/cache/bootwright",
      key: `${key}${what}-\${{ hashFiles('${below(directory, "bootwright.lock")}') }}`,
      "restore-keys": key,
    }),
  ];
}

const isOwn = (runner: string): boolean => runner.split(",").some((label) => label.trim() === "self-hosted");

const action = ({ uses }: PinnedAction, options: Readonly<Record<string, string | number | boolean>>): Step => ({
  uses,
  with: options,
});

const below = (directory: string, file: string): string => (directory === "" ? file : `${directory}/${file}`);
