// begin setup
import { defineConfig } from 'prisma/config';

export default defineConfig({
  schema: 'prisma/schema.prisma',
  // A collection that no model describes: prisma migrate dev would drop it.
  experimental: { externalTables: true },
  tables: { external: ['public.cafes'] },
});
// end setup
