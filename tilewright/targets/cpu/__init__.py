"""The processor this process runs on: LLVM IR as text, compiled and linked in memory."""
