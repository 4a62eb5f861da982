// The backend contract as numbered rules, which cases cite. core's backend/backend.ts documents the same rules beside each method.
// Cases of an op cite the op's own constraints instead (`matmul C3`).

export const backendContract = {
  B1: 'upload copies, and read gives the same bits back, special values included',
  B2: 'upload refuses data that is not of the dtype and shape it says, or of a dtype that is not declared',
  B3: 'memory() counts the buffers the caller holds: all of them, and nothing that a run needed in passing',
  B4: 'a disposed buffer is refused everywhere; disposing it again does nothing',
  B5: 'compile refuses a graph that breaks a contract, or has a dtype that is not declared',
  B6: 'run refuses inputs that are missing, unknown, disposed, foreign or of the wrong type, and then consumes nothing',
  B7: "outputs are the caller's, each its own: disposing one leaves inputs, other outputs and later runs as they are",
  B8: 'donated inputs are consumed, all others keep their value',
  B9: 'a donated input may be overwritten only once nothing in the graph reads it any more',
  B10: 'executables are independent: many can be alive, run at once, and be disposed without harm to buffers they made',
  B11: 'a disposed executable is refused',
  B12: 'where declared, the same executable, inputs and key give the same bits',
  B13: 'randomUniform draws independent uniforms in [0, 1) from key and stream alone',
  B14: "an executable's graph is well-formed and has the interface of the graph that was compiled",
  B15: 'a graph of many ops gives what its ops mean, one after another',
  B16: 'a backend that plans the memory of a run and counts its tensors plans the peak that it counts',
} as const

export type BackendRule = keyof typeof backendContract
