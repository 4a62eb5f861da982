/** Returns a ustar archive of these members. */
export function tarOf(members: Readonly<Record<string, Uint8Array>>): Buffer {
  const blocks = Object.entries(members).flatMap(([name, bytes]) => {
    const header = Buffer.alloc(512)
    header.write(name)
    header.write(bytes.length.toString(8).padStart(11, '0'), 124)
    header.write(' '.repeat(8), 148)
    header.write('0', 156)
    header.write('ustar', 257)
    const sum = header.reduce((total, byte) => total + byte, 0)
    header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
    return [header, bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)]
  })
  return Buffer.concat([...blocks, Buffer.alloc(1024)])
}
