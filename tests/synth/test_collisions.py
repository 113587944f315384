"""Which read ports are told that a collision does not matter."""

import re

from talos.synth.collisions import declare_collisions

RTLIL = r"""
module \a
  attribute \no_rw_check 1
  memory width 8 size 4 \words
  memory width 8 size 4 \others

  cell $meminit_v2 $1
    parameter \MEMID "\\words"
  end
  cell $memrd_v2 $2
    parameter \MEMID "\\words"
    parameter \TRANSPARENCY_MASK 2'00
    parameter \COLLISION_X_MASK 2'00
    parameter \CLK_ENABLE 1
    parameter \CLK_POLARITY 1
  end
  cell $memrd_v2 $3
    parameter \MEMID "\\words"
    parameter \COLLISION_X_MASK 2'00
    parameter \CLK_ENABLE 0
    parameter \CLK_POLARITY 1
  end
  cell $memrd_v2 $4
    parameter \MEMID "\\others"
    parameter \COLLISION_X_MASK 2'00
    parameter \CLK_ENABLE 1
  end
end

module \b
  memory width 8 size 4 \words

  cell $memrd_v2 $5
    parameter \MEMID "\\words"
    parameter \COLLISION_X_MASK 1'0
    parameter \CLK_ENABLE 1
  end
end
"""


def test_only_clocked_reads_of_marked_memories():
    told = declare_collisions(RTLIL)
    ports = dict(re.findall(r"cell \$memrd_v2 \$(\d)\n(?:    .*\n)*?    parameter \\COLLISION_X_MASK \d'(\d+)", told))
    assert ports == {"2": "11", "3": "00", "4": "00", "5": "0"}
    assert told.replace("COLLISION_X_MASK 2'11", "COLLISION_X_MASK 2'00") == RTLIL
