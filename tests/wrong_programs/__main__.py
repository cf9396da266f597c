from wrong_programs import cases, files, now

for path in files():
    path.write_text("".join(str(now(c)) for c in cases(path.read_text())))
