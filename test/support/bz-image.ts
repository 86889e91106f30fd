/** A bzImage around any payload: setup sectors, a gap, the payload, and something behind it. It does not boot. */
export function bzImage(payload: Buffer, gap = 100): Buffer {
  const setup = Buffer.alloc(5 * 512);
  setup[0x1f1] = 4;
  setup.write("HdrS", 0x202, "latin1");
  setup.writeUInt16LE(0x020f, 0x206);
  setup.writeUInt32LE(gap, 0x248);
  setup.writeUInt32LE(payload.length, 0x24c);
  return Buffer.concat([setup, Buffer.alloc(gap, 1), payload, Buffer.alloc(50, 2)]);
}
