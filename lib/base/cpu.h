// Which vector instructions the processor has, for functions that are written more than once.

#ifndef WEIR_LIB_BASE_CPU_H_
#define WEIR_LIB_BASE_CPU_H_

namespace weir {

// AVX2 and BMI, which came together: Intel since 2013, AMD since 2015.
inline bool CpuHasAvx2() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("bmi") != 0;
#else
  return false;
#endif
}

// AVX-512 with BW and VBMI, which work on bytes: Intel since Ice Lake, AMD since Zen 4.
inline bool CpuHasAvx512() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx512bw") != 0 && __builtin_cpu_supports("avx512vbmi") != 0;
#else
  return false;
#endif
}

}  // namespace weir

#endif  // WEIR_LIB_BASE_CPU_H_
