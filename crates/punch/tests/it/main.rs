//! Punch from outside: the program is run, what it prints and how it ends is checked.
