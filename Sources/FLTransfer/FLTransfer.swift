// Written by what comes next.
