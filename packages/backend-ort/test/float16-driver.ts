// The Vulkan driver of a WebGPU device that has float16.

/**
 * Has this process use the driver that FLOAT16_VK_ICD_FILENAMES names, where it names one: SwiftShader, which other tests run on, has
 * no shader-f16. It is read when the first device is looked for.
 */
export function useFloat16Driver(): void {
  const driver = process.env['FLOAT16_VK_ICD_FILENAMES']
  if (driver) process.env['VK_ICD_FILENAMES'] = driver
}
