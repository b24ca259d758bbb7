"""A few lines of each language, written for the check of code."""

SNIPPETS: dict[str, str] = {
    "Python": '''\
def moving_average(values: list[float], width: int = 3) -> list[float]:
    """Return the mean of each window."""
    if width < 1 or width > len(values):
        raise ValueError(f"width must be from 1 to {len(values)}, not {width}")
    total = sum(values[:width])
    means = [total / width]
    for index in range(width, len(values)):
        total += values[index] - values[index - width]
        means.append(total / width)
    return means
''',
    "JavaScript": """\
export async function loadUser(userId, { retries = 3 } = {}) {
  for (let attempt = 0; attempt < retries; attempt++) {
    const response = await fetch(`/api/users/${userId}`);
    if (response.ok) {
      return await response.json();
    }
    console.warn("attempt", attempt + 1, "failed:", response.status);
  }
  throw new Error(`user ${userId} could not be loaded`);
}
""",
    "C": """\
static size_t count_lines(const char *text, size_t length) {
    size_t lines = 0;
    for (size_t i = 0; i < length; ++i) {
        if (text[i] == '\\n') {
            lines++;
        }
    }
    return length > 0 && text[length - 1] != '\\n' ? lines + 1 : lines;
}
""",
    "Rust": """\
pub fn parse_pairs(input: &str) -> Result<Vec<(String, u32)>, ParseError> {
    input
        .lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| {
            let (name, value) = line.split_once('=').ok_or(ParseError::Separator)?;
            Ok((name.trim().to_owned(), value.trim().parse()?))
        })
        .collect()
}
""",
    "Java": """\
public final class Counter<T> {
    private final Map<T, Integer> counts = new HashMap<>();

    public void add(T item) {
        counts.merge(item, 1, Integer::sum);
    }

    public Optional<T> mostCommon() {
        return counts.entrySet().stream().max(Map.Entry.comparingByValue()).map(Map.Entry::getKey);
    }
}
""",
    "Go": """\
func (s *Server) handleHealth(w http.ResponseWriter, r *http.Request) {
\tif err := s.db.PingContext(r.Context()); err != nil {
\t\thttp.Error(w, err.Error(), http.StatusServiceUnavailable)
\t\treturn
\t}
\tw.Header().Set("Content-Type", "application/json")
\tfmt.Fprintln(w, `{"status": "ok"}`)
}
""",
    "SQL": """\
SELECT c.customer_id, c.name, COUNT(o.order_id) AS orders, SUM(o.total) AS revenue
FROM customers AS c
LEFT JOIN orders AS o ON o.customer_id = c.customer_id AND o.created_at >= '2026-01-01'
WHERE c.country IN ('DE', 'FR', 'KR')
GROUP BY c.customer_id, c.name
HAVING SUM(o.total) > 1000
ORDER BY revenue DESC
LIMIT 20;
""",
    "HTML": """\
<article class="card" id="item-42">
  <h2><a href="/items/42?ref=list&amp;page=2">Blue kettle</a></h2>
  <img src="kettle.jpg" alt="A blue kettle" width="320" height="240" loading="lazy">
  <p>Holds <strong>1.7&nbsp;litres</strong>; boils in four minutes.</p>
  <button type="button" disabled>Sold out</button>
</article>
""",
    "CSS": """\
.card > .title:hover::after {
  color: rgba(20, 30, 40, 0.85);
  margin: 0 auto 1.5rem;
  transition: transform 200ms ease-in-out;
}
@media (max-width: 640px) {
  .card { grid-template-columns: 1fr; padding: 8px 12px; }
}
""",
    "JSON": """\
{
  "name": "example",
  "version": "1.4.2",
  "scripts": {"build": "tsc --project .", "test": "vitest run"},
  "dependencies": {"left-pad": "^1.3.0"},
  "files": ["dist/**/*.js", "README.md"],
  "private": true
}
""",
    "YAML": """\
services:
  web:
    image: "registry.example.org/web:2.1"
    ports: ["8080:80"]
    environment:
      - LOG_LEVEL=debug
      - MAX_CONNECTIONS=100
    depends_on: [database]
""",
    "Shell": """\
set -euo pipefail
for file in "$@"; do
  if [[ ! -r "$file" ]]; then
    echo "cannot read: $file" >&2
    continue
  fi
  sha256sum "$file" | awk '{ print $1 }' >> "${OUTPUT:-sums.txt}"
done
""",
    "LaTeX": """\
\\begin{theorem}[Cauchy--Schwarz]\\label{thm:cs}
  For all $u, v \\in V$ we have $\\lvert\\langle u, v\\rangle\\rvert^2 \\le \\lVert u\\rVert^2 \\lVert v\\rVert^2$,
  with equality if and only if $u = \\lambda v$ for some $\\lambda \\in \\mathbb{C}$.
\\end{theorem}
\\begin{equation}
  \\int_{-\\infty}^{\\infty} e^{-x^2}\\,dx = \\sqrt{\\pi}
\\end{equation}
""",
}
"""Source text by language."""
